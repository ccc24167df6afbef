//! What one invocation's tools share: its credential context, its sources, its settings.
//!
//! A session is made inside the invocation's cell and dies with it. Tools get it as an argument;
//! there is nothing to look up.

use std::collections::BTreeMap;
use std::sync::Arc;

use ecs_agent_credentials::{
    ContextDescription, ContextError, ContextState, CredentialContext, CredentialReference,
    PolicyError, ScopeRequest, ServiceContext, Sink, SourceError, Sources,
};
use ecs_agent_ecs::{
    AwsClients, AwsError, Catalogue, ClientsError, GrantError, ObserveError, ServiceTarget,
    observe_policy, report,
};
use ecs_agent_mcp::McpTools;
use ecs_agent_runtime::{ThreadId, ToolOutcome};
use ecs_agent_untrusted::FrameKey;
use serde_json::{Value, json};

use crate::exits;
use crate::settings::InvocationSettings;
use crate::trail::AuditTrail;

/// Keys of the thread's typed state.
pub(crate) mod values {
    /// Reference that the credentials were resolved from.
    pub(crate) const CREDENTIAL_REFERENCE: &str = "credential_reference";
    /// The identified service.
    pub(crate) const SERVICE_CONTEXT: &str = "service_context";
    /// The last full observation, masked.
    pub(crate) const OBSERVATION: &str = "observation";
    /// The diagnosis of it.
    pub(crate) const DIAGNOSIS: &str = "diagnosis";
    /// The findings alone, for clients that only want those.
    pub(crate) const FINDINGS: &str = "findings";
    /// What another server said: one value each, named by this and its id.
    pub(crate) const MCP_EVIDENCE: &str = "mcp_evidence_";
    /// What another server did not say, likewise.
    pub(crate) const MCP_GAP: &str = "mcp_gap_";
    /// In which of the person's turns the service was identified.
    pub(crate) const IDENTIFIED_IN: &str = "identified_in";
    /// What the last search for a service found, and in which turn.
    pub(crate) const CANDIDATES: &str = "candidates";
    /// The candidate that the person chose, and in which turn.
    pub(crate) const CHOSEN: &str = "chosen";
    /// What a language model claims beside the findings.
    pub(crate) const CLAIMS: &str = "claims";
    /// The verdict as the program wrote it last, its document, and in which turn.
    pub(crate) const VERDICT: &str = "verdict";
    /// Which model, which prompts, and where the runbook took over.
    pub(crate) const MADE_BY: &str = "made_by";
    /// What was decided about a plan for the diagnosis.
    pub(crate) const DECISION: &str = "decision";
    /// The proposed plan.
    pub(crate) const PLAN: &str = "plan";
    /// The approval of it.
    pub(crate) const APPROVAL: &str = "approval";
    /// Outcomes of the steps that were carried out.
    pub(crate) const EXECUTION: &str = "execution";
    /// Outcomes of the inverse operations.
    pub(crate) const ROLLBACK: &str = "rollback";
    /// The observation that the last watch ended with.
    pub(crate) const LAST_OBSERVATION: &str = "last_observation";
    /// What the last watch of the service ended with.
    pub(crate) const VERIFICATION: &str = "verification";
}

/// Why a tool could not reach AWS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The credentials could not be resolved.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The context refused.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The clients could not be made.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// AWS refused or failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The service could not be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// There is no leave to carry out that step.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A session policy cannot be written.
    #[error("the permissions do not fit one session")]
    Policy(#[from] PolicyError),
    /// The thread's state lacks something or holds something unreadable.
    #[error("{0}")]
    State(String),
}

impl SessionError {
    /// The whole chain in one line, for the model and the person.
    pub(crate) fn for_person(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        json!({ "error": text }).to_string()
    }
}

/// One invocation's tools' world.
pub(crate) struct Session {
    pub(crate) context: Arc<CredentialContext>,
    pub(crate) sources: Sources,
    pub(crate) settings: InvocationSettings,
    pub(crate) thread: ThreadId,
    pub(crate) catalogue: Catalogue,
    pub(crate) mcp: McpTools,
    pub(crate) trail: Arc<AuditTrail>,
    /// What the frames around tool results are derived from.
    pub(crate) frame_key: FrameKey,
}

impl Session {
    /// Fills the context for reading.
    pub(crate) async fn open_for_reading(
        &self,
        reference: &CredentialReference,
    ) -> Result<ContextDescription, SessionError> {
        self.prepare_accounts()?;
        let request = ScopeRequest::observe(observe_policy()?);
        Ok(self.sources.fill(&self.context, reference, request).await?)
    }

    /// Clients that read. A thread that is continued has an empty context and the reference in its
    /// state: it is resolved again, under the authority of whoever continues.
    pub(crate) async fn reading_clients(
        &self,
        state: &BTreeMap<String, Value>,
    ) -> Result<AwsClients, SessionError> {
        if self.context.describe().state == ContextState::Empty {
            let reference: CredentialReference = stored(state, values::CREDENTIAL_REFERENCE)?;
            self.open_for_reading(&reference).await?;
        }
        let mut clients = AwsClients::new(&self.context)?;
        for account in &self.settings.accounts {
            let context = self.context.named(&account.name, account.region.clone())?;
            clients = clients.with_account(account.account.clone(), &context)?;
        }
        Ok(clients)
    }

    /// Says how the further accounts are reached. Their credentials are resolved when something in
    /// them is read.
    fn prepare_accounts(&self) -> Result<(), SessionError> {
        for account in &self.settings.accounts {
            let context = self.context.named(&account.name, account.region.clone())?;
            let request = ScopeRequest::observe(observe_policy()?);
            let (reference, id) = (&account.credentials, account.account.clone());
            match self.sources.prepare(&context, reference, request, id) {
                // Once is enough for an invocation.
                Ok(()) | Err(SourceError::Superseded) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The service that was identified.
    pub(crate) fn target(state: &BTreeMap<String, Value>) -> Result<ServiceTarget, SessionError> {
        stored(state, values::SERVICE_CONTEXT)
    }

    /// Fixes the service this thread is about, after reading that it exists.
    pub(crate) async fn fix_service(
        &self,
        state: &BTreeMap<String, Value>,
        cluster: &str,
        service: &str,
        reason: Option<String>,
    ) -> Result<ToolOutcome, SessionError> {
        let clients = self.reading_clients(state).await?;
        let target = ServiceTarget::locate(&clients, cluster, service).await?;
        let described = self.context.describe();
        let region = self.context.region()?;
        if let Some(account) = described.account.clone() {
            self.context.set_service_context(ServiceContext {
                cluster: target.cluster_name().to_owned(),
                service: target.service_name().to_owned(),
                region: region.clone(),
                account,
                organization: self.settings.hints.organization.clone(),
                environment: self.settings.hints.environment.clone(),
            });
        }
        let text = report::service_context(&report::ServiceContextFacts {
            target: &target,
            region: region.as_str(),
            credentials: &described,
            reason: reason.as_deref().unwrap_or("named by the person"),
        });
        let mut value = json!(target);
        if let Some(object) = value.as_object_mut() {
            object.insert("region".to_owned(), json!(region));
            object.insert("account".to_owned(), json!(described.account));
        }
        Ok(ToolOutcome::success(
            json!({"summary": format!("{target} in {region}"), "file": "/service_context.md"})
                .to_string(),
        )
        .with_value(values::SERVICE_CONTEXT, value)
        .with_file("/service_context.md", text))
    }

    /// Tells whoever watches what a tool is doing.
    pub(crate) fn note(&self, agent: &str, text: &str) {
        let text = exits::text_or_notice(&self.context, Sink::Progress, text);
        self.settings
            .progress
            .progress(&crate::progress::Progress::Note { agent, text });
    }
}

/// Reads a value of the thread's typed state.
pub(crate) fn stored<T: serde::de::DeserializeOwned>(
    state: &BTreeMap<String, Value>,
    key: &str,
) -> Result<T, SessionError> {
    let value = state.get(key).ok_or_else(|| {
        SessionError::State(format!(
            "the thread has no `{key}` yet; the specialist before this one provides it"
        ))
    })?;
    serde_json::from_value(value.clone()).map_err(|error| {
        SessionError::State(format!("the thread's `{key}` cannot be read: {error}"))
    })
}
