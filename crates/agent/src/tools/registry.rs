//! Which registered service a person means: first among those of the configuration, then in the
//! registry that the invocation was given.

use ecs_agent_credentials::{
    CredentialReference, CredentialRegistry, Region, RegistryError, RegistryQuery, RegistryService,
    StackJob,
};
use serde_json::{Value, json};

use super::credentials::StackJobArguments;
use crate::session::Session;
use crate::settings::{REGISTRY, RegisteredService};

/// What was found.
pub(super) enum Registered {
    /// None; `gap` says what could not be asked.
    No { gap: Option<String> },
    /// One, with the credentials that reach it.
    One(RegisteredService),
    /// More than one, described.
    Several(Vec<Value>),
    /// One that cannot be used, and why.
    Unusable(String),
}

/// Looks a service up.
pub(super) async fn find(session: &Session, arguments: &StackJobArguments) -> Registered {
    let wanted = Wanted::of(session, arguments);
    let configured: Vec<&RegisteredService> = session
        .settings
        .registry
        .iter()
        .filter(|service| wanted.is(&service.name, &service.organization, &service.environment))
        .collect();
    match configured.as_slice() {
        [] => {}
        [service] => return Registered::One((*service).clone()),
        several => {
            return Registered::Several(
                several
                    .iter()
                    .map(|s| candidate(&s.name, &s.organization, &s.environment))
                    .collect(),
            );
        }
    }
    let Some(registry) = session.sources.registry(REGISTRY) else {
        return Registered::No { gap: None };
    };
    match ask(&**registry, &wanted, session.context.region().ok()).await {
        Ok(found) => found,
        // The invocation goes on without it, and says so.
        Err(error) => Registered::No {
            gap: Some(chain(&error)),
        },
    }
}

async fn ask(
    registry: &dyn CredentialRegistry,
    wanted: &Wanted<'_>,
    region: Option<Region>,
) -> Result<Registered, RegistryError> {
    let query = RegistryQuery {
        organization: wanted.organization.cloned(),
        environment: wanted.environment.cloned(),
        name: Some(wanted.said.to_owned()),
    };
    let listed = registry.list_services(&query).await?;
    // The registry may take the words more widely than they are meant.
    let found: Vec<&RegistryService> = listed
        .iter()
        .filter(|service| wanted.is(&service.name, &service.organization, &service.environment))
        .collect();
    match found.as_slice() {
        [] => Ok(Registered::No { gap: None }),
        [service] => {
            let job = registry.latest_stack_job(&service.id).await?;
            Ok(usable(service, job, region))
        }
        several => Ok(Registered::Several(
            several
                .iter()
                .map(|s| candidate(&s.name, &s.organization, &s.environment))
                .collect(),
        )),
    }
}

/// A service of the registry, with where it was last deployed and by which credential.
fn usable(service: &RegistryService, job: StackJob, region: Option<Region>) -> Registered {
    let name = &service.name;
    let deployed_in = job.region.or_else(|| service.region.clone());
    if let Some((deployed, here)) = deployed_in.as_ref().zip(region.as_ref())
        && deployed != here
    {
        return Registered::Unusable(format!(
            "the registry says that `{name}` runs in {deployed}, and this invocation works in \
             {here}: start another one with `--region {deployed}`"
        ));
    }
    let cluster = job.cluster.or_else(|| service.cluster.clone());
    let Some(cluster) = cluster else {
        return Registered::Unusable(format!(
            "the registry does not say which cluster `{name}` is in"
        ));
    };
    Registered::One(RegisteredService {
        name: name.clone(),
        organization: service.organization.clone(),
        environment: service.environment.clone(),
        cluster,
        service: job
            .service
            .or_else(|| service.service.clone())
            .unwrap_or_else(|| name.clone()),
        credentials: CredentialReference::Registry {
            registry: REGISTRY.to_owned(),
            credential_id: job.provider_credential_id,
        },
    })
}

/// What the person said, in words and outside of them.
struct Wanted<'a> {
    said: &'a str,
    words: Vec<String>,
    organization: Option<&'a String>,
    environment: Option<&'a String>,
}

impl<'a> Wanted<'a> {
    fn of(session: &'a Session, arguments: &'a StackJobArguments) -> Self {
        let hints = &session.settings.hints;
        let separates =
            |character: char| !character.is_alphanumeric() && character != '-' && character != '_';
        Self {
            said: &arguments.service,
            words: arguments
                .service
                .split(separates)
                .map(str::to_lowercase)
                .collect(),
            organization: arguments
                .organization
                .as_ref()
                .or(hints.organization.as_ref()),
            environment: arguments
                .environment
                .as_ref()
                .or(hints.environment.as_ref()),
        }
    }

    fn is(&self, name: &str, organization: &Option<String>, environment: &Option<String>) -> bool {
        let name = name.to_lowercase();
        self.words.contains(&name)
            && (self.organization.is_none() || organization.as_ref() == self.organization)
            && (self.environment.is_none() || environment.as_ref() == self.environment)
    }
}

fn candidate(name: &str, organization: &Option<String>, environment: &Option<String>) -> Value {
    json!({"name": name, "organization": organization, "environment": environment})
}

/// The whole chain in one line.
fn chain(error: &RegistryError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
