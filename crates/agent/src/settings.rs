//! What one invocation is given: everything but secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{
    AccountId, ContextName, CredentialReference, Endpoints, LeakGuard, Region,
};
use ecs_agent_ecs::SearchHints;
use ecs_agent_mcp::DeclaredServer;
use ecs_agent_models::Model;
use ecs_agent_runtime::{ApprovalRule, Budgets};
use ecs_agent_store::{Store, TenantScope};
use serde::{Deserialize, Serialize};

use crate::guidance::TeamGuidance;
use crate::progress::ProgressSink;
use crate::prompts::Prompts;
use crate::timer::Timer;

/// How far an invocation may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Stops after the diagnosis; never proposes a change.
    Diagnose,
    /// Goes on to a plan, an approval, the repair and its verification.
    Repair,
}

/// What the operator allows, whatever a person or a model asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Whether an approved plan may be carried out at all.
    pub allow_write: bool,
    /// Whether this run's person may have an approved plan carried out. Without it a plan is
    /// still asked about, for somebody who may.
    pub person_may_execute: bool,
    /// Whether log text may be read and shown.
    pub allow_sensitive_data: bool,
}

/// How the verification specialist watches a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationPace {
    /// Time between two observations.
    pub interval: Duration,
    /// How long a service has to stay healthy, without a failing task, to count as repaired.
    pub settle: Duration,
    /// Time after which an undecided service counts as not repaired.
    pub timeout: Duration,
}

impl Default for VerificationPace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            settle: Duration::from_secs(180),
            timeout: Duration::from_secs(1_200),
        }
    }
}

/// What the person already said about the service, outside the sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceHints {
    /// Cluster name or ARN.
    pub cluster: Option<String>,
    /// Service name or ARN.
    pub service: Option<String>,
    /// Organisation, for the registry.
    pub organization: Option<String>,
    /// Environment, for the registry.
    pub environment: Option<String>,
}

impl ServiceHints {
    /// What narrows a search.
    pub(crate) fn for_search(&self) -> SearchHints {
        SearchHints {
            cluster: self.cluster.clone(),
            service: self.service.clone(),
        }
    }
}

/// Label of the registry in an invocation's sources, for a service that the configuration does not
/// list itself.
pub const REGISTRY: &str = "registry";

/// A service that the operator registered, with the credentials that reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredService {
    /// Name that people use.
    pub name: String,
    /// Organisation it belongs to.
    #[serde(default)]
    pub organization: Option<String>,
    /// Environment it runs in.
    #[serde(default)]
    pub environment: Option<String>,
    /// Cluster name or ARN.
    pub cluster: String,
    /// Service name.
    pub service: String,
    /// Role that reaches its account, assumed from the invocation's own reference.
    pub credentials: CredentialReference,
}

/// Another account that services lean on, such as the one that keeps their images.
///
/// Each has a credential context of its own in the invocation, which only reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FurtherAccount {
    /// What the context is called in evidence and audit.
    pub name: ContextName,
    /// The account; credentials of another one are refused.
    pub account: AccountId,
    /// The region that is read there, if it is not the invocation's.
    pub region: Option<Region>,
    /// What reaches it.
    pub credentials: CredentialReference,
}

/// A moment around the log, for crash drills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMoment {
    /// Whatever the event tells has happened, and the event of this number is not durable yet.
    AboutToAppend(u64),
    /// The event of this number is durable, and nothing has followed from it yet.
    Appended(u64),
}

/// What is called at each [`LogMoment`].
pub type LogHook = Arc<dyn Fn(LogMoment) + Send + Sync>;

/// Everything an invocation needs except credentials, which travel apart in `Sources`.
#[derive(Clone)]
pub struct InvocationSettings {
    /// The model that drives the agents.
    pub model: Arc<dyn Model>,
    /// Models that take over, in this order, from one that gives up.
    pub fallbacks: Vec<Arc<dyn Model>>,
    /// Tools whose every call waits for a person's decision.
    pub approvals: BTreeMap<String, ApprovalRule>,
    /// What the team that runs the program has added for its agents.
    pub guidance: TeamGuidance,
    /// Threads, events, reports, audit.
    pub store: Store,
    /// Whose thread it is: every row that the invocation reads or writes is this tenant's.
    pub tenant: TenantScope,
    /// For whom it acts, when somebody was authenticated: what AWS's audit trail will name, together
    /// with tenant and thread. The roles' trust policies have to allow it.
    pub person: Option<String>,
    /// Where AWS is.
    pub endpoints: Endpoints,
    /// Region, when the person or the configuration names one.
    pub region: Option<Region>,
    /// What the service-identifier resolves first.
    pub reference: CredentialReference,
    /// What the person already said.
    pub hints: ServiceHints,
    /// What the operator allows.
    pub permissions: Permissions,
    /// Limits.
    pub budgets: Budgets,
    /// How to watch a repaired service.
    pub pace: VerificationPace,
    /// Clock and sleep.
    pub timer: Arc<dyn Timer>,
    /// Who is told what happens.
    pub progress: Arc<dyn ProgressSink>,
    /// Crash drill hook.
    pub log_hook: Option<LogHook>,
    /// Looks at everything that leaves; the program's one.
    pub leak_guard: Arc<LeakGuard>,
    /// Registered services.
    pub registry: Vec<RegisteredService>,
    /// Accounts that are read beside the service's own.
    pub accounts: Vec<FurtherAccount>,
    /// Other people's MCP servers.
    pub mcp_servers: Vec<DeclaredServer>,
    /// How far to go.
    pub mode: Mode,
    /// What the agents are told.
    pub prompts: Arc<Prompts>,
    /// Whether the runbook finishes what a language model leaves undone.
    pub oversight: Oversight,
}

/// What happens when a language model does not do an agent's work: it ends its turn too early,
/// repeats what fails, or does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oversight {
    /// The runbook takes over, and the reports say so.
    Runbook,
    /// Nothing: for conversations that are no diagnosis, such as those of a test.
    None,
}

impl std::fmt::Debug for InvocationSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InvocationSettings")
            .field("model", &self.model.name())
            .field("reference", &self.reference)
            .field("region", &self.region)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
