//! However an invocation ends, and wherever it is when it does: its context is cleared, nothing of
//! its old key is used again, no process is left, the audit is closed, the thread is free, and a
//! second start works. For every source of credentials that needs nothing but this machine.

mod trip;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use ecs_agent_canaries::descendants;
use ecs_agent_core::{
    Input, InvocationError, InvocationResult, InvocationSettings, InvocationStatus, Mode, invoke,
};
use ecs_agent_credentials::{
    CellError, CredentialReference, SecretText, Sources, StaticCredentials,
};
use ecs_agent_runtime::{Budget, Budgets};
use ecs_agent_store::TenantScope;
use tokio_util::sync::CancellationToken;

use self::trip::{FailsFor, Trip};
use super::support::Bench;

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Return,
    TypedError,
    PanicInATool,
    /// In the driver, with a lock held: the whole cell goes down.
    PanicHoldingALock,
    Cancel,
    StepBudget,
    TimeBudget,
    /// The caller drops the invocation's future, as when a client has gone.
    LostClient,
}

/// Where it is when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    BeforeFill,
    /// Reading, with requests on the wire.
    InASignedCall,
    AwaitingApproval,
    /// A write is logged as intended and not yet as done.
    IntentLogged,
    AtTheEnd,
}

/// Where the keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Static,
    Profile,
    DefaultChain,
    AssumedRole,
    ChainedRole,
}

/// Every way that makes sense at each place.
const CELLS: [(Phase, Exit); 18] = [
    (Phase::BeforeFill, Exit::TypedError),
    (Phase::BeforeFill, Exit::PanicHoldingALock),
    (Phase::BeforeFill, Exit::Cancel),
    (Phase::BeforeFill, Exit::StepBudget),
    (Phase::BeforeFill, Exit::TimeBudget),
    (Phase::BeforeFill, Exit::LostClient),
    (Phase::InASignedCall, Exit::TypedError),
    (Phase::InASignedCall, Exit::PanicInATool),
    (Phase::InASignedCall, Exit::PanicHoldingALock),
    (Phase::InASignedCall, Exit::Cancel),
    (Phase::InASignedCall, Exit::StepBudget),
    (Phase::InASignedCall, Exit::LostClient),
    (Phase::AwaitingApproval, Exit::Return),
    (Phase::IntentLogged, Exit::PanicInATool),
    (Phase::IntentLogged, Exit::PanicHoldingALock),
    (Phase::IntentLogged, Exit::Cancel),
    (Phase::IntentLogged, Exit::LostClient),
    (Phase::AtTheEnd, Exit::Return),
];

/// Set in a child whose environment names profiles.
const CHILD: &str = "ECS_TEST_EXITS_CHILD";

#[tokio::test]
async fn every_exit_with_static_keys() {
    matrix(Source::Static).await;
}

#[tokio::test]
async fn every_exit_with_an_assumed_role() {
    matrix(Source::AssumedRole).await;
}

#[tokio::test]
async fn every_exit_with_a_chained_role() {
    matrix(Source::ChainedRole).await;
}

#[tokio::test]
async fn every_exit_with_a_profile() {
    with_profiles(Source::Profile, "every_exit_with_a_profile").await;
}

#[tokio::test]
async fn every_exit_with_the_default_chain() {
    with_profiles(Source::DefaultChain, "every_exit_with_the_default_chain").await;
}

async fn matrix(source: Source) {
    for (phase, exit) in CELLS {
        Drill::new(source, phase, exit).await.run().await;
    }
}

/// Runs a test of this program again, with the lab's keys in the machine's AWS configuration. The
/// keys of a scenario's lab are always the same.
async fn with_profiles(source: Source, test: &str) {
    if std::env::var_os(CHILD).is_some() {
        return matrix(source).await;
    }
    let bench = Bench::of(SCENARIO).await;
    let keys = &bench.account.engineer;
    let home = tempfile::tempdir().unwrap();
    let [config, credentials] = ["config", "credentials"].map(|name| home.path().join(name));
    let entry = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key_id, keys.secret_access_key
    );
    std::fs::write(&config, "").unwrap();
    std::fs::write(&credentials, format!("[default]\n{entry}[ops]\n{entry}")).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("suite::exits::{test}"), "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", &credentials)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = [child.stdout, child.stderr].concat();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// A scenario with a plan of several steps.
const SCENARIO: &str = "demo";

/// One cell of the matrix.
struct Drill {
    bench: Bench,
    source: Source,
    phase: Phase,
    exit: Exit,
    started: usize,
}

/// What became of an invocation: nothing if nobody waited for it.
type Ended = Option<Result<InvocationResult, InvocationError>>;

impl Drill {
    async fn new(source: Source, phase: Phase, exit: Exit) -> Self {
        let mut bench = Bench::of(SCENARIO).await;
        let given = || {
            Box::new(CredentialReference::Static {
                label: "person".to_owned(),
            })
        };
        let role = |role_arn: &str, external_id: Option<String>, base| {
            let role_arn = role_arn.parse().unwrap();
            CredentialReference::AssumeRole {
                role_arn,
                external_id,
                base,
            }
        };
        bench.settings.reference = match source {
            Source::Static => *given(),
            Source::Profile => CredentialReference::Profile {
                name: "ops".to_owned(),
            },
            Source::DefaultChain => CredentialReference::DefaultChain,
            Source::AssumedRole => bench.settings.reference.clone(),
            Source::ChainedRole => {
                let hub = role(&bench.account.hub_role_arn, None, given());
                role(&bench.account.role_arn, None, Box::new(hub))
            }
        };
        Self {
            bench,
            source,
            phase,
            exit,
            started: 0,
        }
    }

    fn sources(&self) -> Sources {
        let account = &self.bench.account;
        let (id, secret) = match self.source {
            Source::Static => (
                &account.engineer.access_key_id,
                &account.engineer.secret_access_key,
            ),
            Source::Profile | Source::DefaultChain => {
                return Sources::builder().with_profile_chain().build();
            }
            Source::AssumedRole | Source::ChainedRole => {
                (&account.access_key_id, &account.secret_access_key)
            }
        };
        let secret = SecretText::from(secret.clone());
        let keys = StaticCredentials::new(id, secret, None, None).unwrap();
        Sources::builder().with_static("person", keys).build()
    }

    async fn run(mut self) {
        let mut input = Input::Say(self.bench.request.clone());
        if self.phase == Phase::IntentLogged {
            let asked = self
                .start(input, self.bench.settings.clone())
                .await
                .unwrap();
            let InvocationStatus::Interrupted(open) = asked.status else {
                panic!("{self:?}: {:?}", asked.status);
            };
            input = self.bench.answer(&open[0]);
        }
        let ended = self.end(input).await;
        self.check_how(&ended);
        self.is_quiet().await;
        self.is_closed(&ended).await;
        self.starts_again(ended).await;
    }

    /// Runs the invocation that comes to the end under test.
    async fn end(&mut self, input: Input) -> Ended {
        let cancel = CancellationToken::new();
        let trip = Arc::new(Trip::new(self.phase, self.exit, cancel.clone()));
        let mut settings = InvocationSettings {
            progress: trip.clone(),
            ..self.bench.settings.clone()
        };
        match (self.exit, self.phase) {
            (Exit::TypedError, Phase::BeforeFill) => settings.model = Arc::new(FailsFor("main")),
            (Exit::TypedError, _) => settings.model = Arc::new(FailsFor("triage-specialist")),
            (Exit::StepBudget, Phase::BeforeFill) => settings.budgets = steps(1),
            (Exit::StepBudget, _) => settings.budgets = steps(8),
            (Exit::TimeBudget, _) => settings.budgets.max_seconds = 0,
            (Exit::Return, Phase::AtTheEnd) => settings.mode = Mode::Diagnose,
            _ => {}
        }
        self.started += 1;
        let (sources, thread) = (self.sources(), self.bench.thread);
        let invocation = invoke(settings, sources, thread, input, cancel.clone());
        let mut invocation = Box::pin(invocation);
        let lab = self.bench.lab.clone();
        let on_the_wire = async {
            trip.reached().await;
            let before = lab.requests().len();
            while self.phase == Phase::InASignedCall && lab.requests().len() < before + 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = &mut invocation => return Some(ended),
            () = on_the_wire => {}
        }
        match self.exit {
            Exit::LostClient => None,
            Exit::Cancel => {
                cancel.cancel();
                Some(invocation.await)
            }
            _ => Some(invocation.await),
        }
    }

    fn check_how(&self, ended: &Ended) {
        let as_expected = match (self.exit, ended) {
            (Exit::LostClient, None) => true,
            (Exit::PanicHoldingALock, Some(Err(InvocationError::Cell(CellError::Panicked)))) => {
                true
            }
            (_, Some(Ok(result))) => {
                assert!(result.context_cleared, "{self:?}");
                match (self.exit, &result.status) {
                    (Exit::Return, InvocationStatus::Interrupted(_)) => {
                        self.phase == Phase::AwaitingApproval
                    }
                    (Exit::Return, InvocationStatus::Done { .. }) => self.phase == Phase::AtTheEnd,
                    // The main agent can still say that a specialist's model failed.
                    (Exit::TypedError, InvocationStatus::Done { text }) => {
                        self.phase == Phase::InASignedCall && text.starts_with("stopped:")
                    }
                    (Exit::TypedError, InvocationStatus::Failed { .. })
                    | (Exit::Cancel, InvocationStatus::Cancelled)
                    | (Exit::PanicInATool, InvocationStatus::Done { .. }) => true,
                    (Exit::StepBudget, InvocationStatus::BudgetExhausted { budget }) => {
                        *budget == Budget::Steps
                    }
                    (Exit::TimeBudget, InvocationStatus::BudgetExhausted { budget }) => {
                        *budget == Budget::Time
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        assert!(as_expected, "{self:?}: {ended:?}");
    }

    /// No request follows, once those that were on their way have arrived; and no process is left.
    async fn is_quiet(&self) {
        let mut seen = self.bench.lab.requests().len();
        let mut quiet = 0;
        while quiet < 500 {
            tokio::task::yield_now().await;
            let now = self.bench.lab.requests().len();
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        let left = descendants(std::process::id()).unwrap();
        assert_eq!(left, Vec::<u32>::new(), "{self:?}");
    }

    /// The last that the audit says of the thread is how the invocation ended.
    async fn is_closed(&self, ended: &Ended) {
        let local = TenantScope::local();
        let store = &self.bench.settings.store;
        store.audit_verify(&local).await.unwrap();
        let records = store.audit(&local, self.bench.thread).await.unwrap();
        let last = records.last().unwrap();
        let count = |kind: &str| records.iter().filter(|record| record.kind == kind).count();
        let crashed = !matches!(ended, Some(Ok(_)));
        let expected = if crashed {
            "invocation_crashed"
        } else {
            "invocation_ended"
        };
        assert_eq!(last.kind, expected, "{self:?}");
        if !crashed {
            assert_eq!(last.content["context_cleared"], true, "{self:?}");
        }
        assert_eq!(count("invocation_started"), self.started, "{self:?}");
        let closed = count("invocation_ended") + count("invocation_crashed");
        assert_eq!(closed, self.started, "{self:?}");
    }

    /// The thread is free, and whoever goes on does so with new keys.
    async fn starts_again(mut self, ended: Ended) {
        let old = self.session_keys();
        let before = self.bench.lab.requests().len();
        let input = match ended {
            // The log knows where it was.
            None | Some(Err(_)) => Input::Continue,
            Some(Ok(result)) => match &result.status {
                InvocationStatus::Interrupted(open) => self.bench.answer(&open[0]),
                _ => Input::Say(self.bench.request.clone()),
            },
        };
        let again = self.start(input, self.bench.settings.clone()).await;
        let again = again.unwrap_or_else(|error| panic!("{self:?}: {error:?}"));
        assert!(
            matches!(
                again.status,
                InvocationStatus::Done { .. } | InvocationStatus::Interrupted(_)
            ),
            "{self:?}: {:?}",
            again.status
        );
        let requests = self.bench.lab.requests();
        assert!(requests.len() > before, "{self:?}");
        let mut new = requests[before..]
            .iter()
            .map(|record| &record.access_key_id);
        assert!(
            new.all(|key| !old.contains(key)),
            "{self:?}: an old key was used again"
        );
    }

    async fn start(
        &mut self,
        input: Input,
        settings: InvocationSettings,
    ) -> Result<InvocationResult, InvocationError> {
        self.started += 1;
        let (sources, thread) = (self.sources(), self.bench.thread);
        invoke(settings, sources, thread, input, CancellationToken::new()).await
    }

    /// Temporary keys that were used so far.
    fn session_keys(&self) -> BTreeSet<String> {
        let requests = self.bench.lab.requests().into_iter();
        let of_sessions = requests.filter(|record| record.session_name.is_some());
        of_sessions.map(|record| record.access_key_id).collect()
    }
}

impl std::fmt::Debug for Drill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            source,
            phase,
            exit,
            ..
        } = self;
        write!(f, "{exit:?} at {phase:?} with {source:?}")
    }
}

fn steps(max_steps: u32) -> Budgets {
    Budgets {
        max_steps,
        ..Budgets::default()
    }
}
