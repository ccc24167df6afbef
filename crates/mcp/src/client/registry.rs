//! A registry of services, reached over MCP.
//!
//! Any server is one that offers `list_aws_ecs_services`, `get_aws_ecs_service`,
//! `get_aws_ecs_service_latest_stack_job`, `list_aws_credentials` and `get_aws_credential`;
//! `docs/configuration.md` has their arguments and answers. It runs in a room of its own and gets no
//! AWS.

use std::str::FromStr;

use ecs_agent_credentials::{
    CredentialRegistry, RegistryCredential, RegistryError, RegistryFuture, RegistryId,
    RegistryQuery, RegistryService, StackJob, StaticCredentials,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::child::Ending;
use super::error::ChildError;
use super::pool::ChildPool;
use super::settings::{ChildCredentials, ServerSettings};
use super::untrusted::Untrusted;

const LIST: &str = "list_aws_ecs_services";
const GET: &str = "get_aws_ecs_service";
const JOB: &str = "get_aws_ecs_service_latest_stack_job";
const CREDENTIAL: &str = "get_aws_credential";

/// Most services that a listing is read for.
const MOST_SERVICES: usize = 1_000;

/// A registry behind an MCP server, started when it is first asked.
///
/// Make one for each invocation and keep no other reference to it: its server is killed when it is
/// dropped, and [`McpRegistry::end`] ends it more kindly.
///
/// # Security
/// The answer to `get_aws_credential` goes from the server's pipe into [`StaticCredentials`] and
/// nowhere else: it is no event, no message and no log line. The text that this crate owns is wiped at
/// once; what the protocol library held on the way is freed, and wiped by the wiping allocator of a
/// program that has it.
#[derive(Debug)]
pub struct McpRegistry {
    label: String,
    pool: ChildPool,
}

impl McpRegistry {
    /// A registry behind this server. Whatever `settings` say, it gets no AWS.
    #[must_use]
    pub fn new(settings: ServerSettings) -> Self {
        let label = settings.name.clone();
        let settings = ServerSettings {
            credentials: ChildCredentials::None,
            ..settings
        };
        Self {
            label,
            pool: ChildPool::new([settings], None),
        }
    }

    /// Ends the server, if it was started.
    pub async fn end(&self) -> Option<Ending> {
        self.pool.end().await.remove(&self.label)
    }

    async fn ask(
        &self,
        tool: &'static str,
        asked: Option<(&'static str, &RegistryId)>,
        arguments: Map<String, Value>,
    ) -> Result<Untrusted, RegistryError> {
        let unreachable = || RegistryError::Unreachable {
            registry: self.label.clone(),
        };
        let server = self.pool.running(&self.label).await;
        let server = server.map_err(|_| unreachable())?.ok_or_else(unreachable)?;
        let error = match server.call(tool, arguments).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        Err(match (error, asked) {
            (ChildError::Failed { said, .. }, Some((kind, id))) if says_not_found(&said) => {
                RegistryError::NotFound {
                    registry: self.label.clone(),
                    kind,
                    id: id.clone(),
                }
            }
            (ChildError::Failed { .. } | ChildError::Refused { .. }, _) => RegistryError::Denied {
                registry: self.label.clone(),
                tool,
            },
            (_, _) => unreachable(),
        })
    }

    async fn ask_about(
        &self,
        tool: &'static str,
        kind: &'static str,
        argument: &'static str,
        id: &RegistryId,
    ) -> Result<Untrusted, RegistryError> {
        let arguments = [(argument.to_owned(), Value::from(id.as_str()))];
        self.ask(tool, Some((kind, id)), arguments.into_iter().collect())
            .await
    }

    fn malformed(&self, tool: &'static str, field: &'static str) -> RegistryError {
        RegistryError::Malformed {
            registry: self.label.clone(),
            tool,
            field,
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        tool: &'static str,
        answer: &Untrusted,
    ) -> Result<T, RegistryError> {
        answer
            .parse(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| self.malformed(tool, "object"))
    }

    fn service(
        &self,
        tool: &'static str,
        written: WrittenService,
    ) -> Result<RegistryService, RegistryError> {
        Ok(RegistryService {
            id: written
                .id
                .parse()
                .map_err(|_| self.malformed(tool, "service_id"))?,
            name: written.name,
            organization: written.organization,
            environment: written.environment,
            cluster: written.cluster,
            service: written.service,
            account: self.parsed(tool, "account_id", written.account)?,
            region: self.parsed(tool, "region", written.region)?,
        })
    }

    fn parsed<T: FromStr>(
        &self,
        tool: &'static str,
        field: &'static str,
        text: Option<String>,
    ) -> Result<Option<T>, RegistryError> {
        let parsed = text.map(|text| text.parse()).transpose();
        parsed.map_err(|_| self.malformed(tool, field))
    }
}

impl CredentialRegistry for McpRegistry {
    fn list_services<'a>(
        &'a self,
        query: &'a RegistryQuery,
    ) -> RegistryFuture<'a, Vec<RegistryService>> {
        Box::pin(async move {
            let given = [
                ("organization", &query.organization),
                ("environment", &query.environment),
                ("name", &query.name),
            ];
            let arguments = given
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?.into())))
                .collect();
            let answer = self.ask(LIST, None, arguments).await?;
            let listed: WrittenServices = self.read(LIST, &answer)?;
            if listed.services.len() > MOST_SERVICES {
                return Err(self.malformed(LIST, "services"));
            }
            let services = listed.services.into_iter();
            services
                .map(|service| self.service(LIST, service))
                .collect()
        })
    }

    fn get_service<'a>(&'a self, id: &'a RegistryId) -> RegistryFuture<'a, RegistryService> {
        Box::pin(async move {
            let answer = self.ask_about(GET, "service", "service_id", id).await?;
            let written = self.read(GET, &answer)?;
            self.service(GET, written)
        })
    }

    fn latest_stack_job<'a>(&'a self, service: &'a RegistryId) -> RegistryFuture<'a, StackJob> {
        Box::pin(async move {
            let answer = self.ask_about(JOB, "stack job of service", "service_id", service);
            let answer = answer.await?;
            let written: WrittenJob = self.read(JOB, &answer)?;
            let credential = written.provider_credential_id.parse();
            Ok(StackJob {
                id: written
                    .id
                    .parse()
                    .map_err(|_| self.malformed(JOB, "stack_job_id"))?,
                provider_credential_id: credential
                    .map_err(|_| self.malformed(JOB, "provider_credential_id"))?,
                account: self.parsed(JOB, "account_id", written.account)?,
                region: self.parsed(JOB, "region", written.region)?,
                cluster: written.cluster,
                service: written.service,
                updated_at: written.updated_at.and_then(read_quietly),
            })
        })
    }

    fn credential<'a>(&'a self, id: &'a RegistryId) -> RegistryFuture<'a, RegistryCredential> {
        Box::pin(async move {
            let answer = self
                .ask_about(CREDENTIAL, "credential", "credential_id", id)
                .await?;
            let (keys, account) = answer.parse_and_wipe(|text| {
                let account = serde_json::from_str::<WrittenAccount>(text).ok();
                (StaticCredentials::from_json(text.as_bytes()), account)
            });
            let account = account.and_then(|written| written.account);
            Ok(RegistryCredential {
                keys: keys.map_err(|error| self.unusable(id, error))?,
                account: self.parsed(CREDENTIAL, "account_id", account)?,
            })
        })
    }
}

impl McpRegistry {
    fn unusable(
        &self,
        id: &RegistryId,
        error: ecs_agent_credentials::KeyDocumentError,
    ) -> RegistryError {
        use ecs_agent_credentials::{Field, KeyDocumentError};
        let field = match error {
            KeyDocumentError::Keys(source) => {
                return RegistryError::Keys {
                    registry: self.label.clone(),
                    id: id.clone(),
                    source,
                };
            }
            KeyDocumentError::Missing { field }
            | KeyDocumentError::NotText { field }
            | KeyDocumentError::Twice { field } => match field {
                Field::KeyId => "access_key_id",
                Field::Secret => "secret_access_key",
                Field::Token => "session_token",
                Field::End | _ => "expiration",
            },
            KeyDocumentError::End => "expiration",
            KeyDocumentError::NotAnObject | _ => "object",
        };
        self.malformed(CREDENTIAL, field)
    }
}

/// Tells whether a tool's error is that there is no such thing: `{"error": {"code": "not_found"}}`.
fn says_not_found(said: &Untrusted) -> bool {
    let code = |text: &str| {
        let error: Value = serde_json::from_str(text).ok()?;
        Some(error.pointer("/error/code")?.as_str()? == "not_found")
    };
    said.parse(code).unwrap_or(false)
}

/// Reads a value of a type that another crate names; what cannot be read is left out.
fn read_quietly<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

#[derive(Debug, Deserialize)]
struct WrittenServices {
    services: Vec<WrittenService>,
}

#[derive(Debug, Deserialize)]
struct WrittenService {
    #[serde(rename = "service_id", alias = "id")]
    id: String,
    name: String,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default, rename = "account_id", alias = "account")]
    account: Option<String>,
    #[serde(default)]
    region: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WrittenJob {
    #[serde(rename = "stack_job_id", alias = "id")]
    id: String,
    provider_credential_id: String,
    #[serde(default, rename = "account_id", alias = "account")]
    account: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    updated_at: Option<Value>,
}

/// The one field of a credential's answer that is not a secret and not about the keys.
#[derive(Deserialize)]
struct WrittenAccount {
    #[serde(default, rename = "account_id", alias = "account")]
    account: Option<String>,
}
