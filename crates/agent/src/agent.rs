//! The ECS Deep Agent of one invocation.

use std::sync::Arc;

use ecs_agent_credentials::{CredentialContext, EndpointLimits, LeakBlocked, Sources};
use ecs_agent_ecs::{Catalogue, CatalogueError, observe_operations};
use ecs_agent_mcp::{ChildAws, McpTools};
use ecs_agent_runtime::{
    AgentLimits, Configuration, EventBody, InterruptId, MessageId, RunId, ThreadId, ThreadStatus,
};
use ecs_agent_store::{LeaseError, StoreError};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::definition::agents;
use crate::driver::{Stop, drive};
use crate::framing::frame_key;
use crate::log::{LogError, ThreadLog};
use crate::session::Session;
use crate::settings::InvocationSettings;
use crate::tools::Toolbox;
use crate::trail::AuditTrail;

/// What starts or continues a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The person says something: a new turn.
    Say(String),
    /// A person answers an open question or approval.
    Answer {
        /// Which.
        interrupt: InterruptId,
        /// What they said.
        answer: Value,
        /// Who said it.
        by: String,
    },
    /// Whatever an earlier process left unfinished goes on.
    Continue,
}

/// Why the agent could not run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The log could not be read or written.
    #[error("the thread cannot go on")]
    Log(#[from] LogError),
    /// Another run has the thread.
    #[error("the thread cannot be run now")]
    Lease(#[from] LeaseError),
    /// The audit trail ended before the run.
    #[error("the audit trail ended before the run: it was stopped")]
    Unrecorded,
    /// Reports or the audit record could not be written.
    #[error("the thread's books could not be written")]
    Books(#[from] StoreError),
    /// The catalogue that is built in cannot be read.
    #[error("the built-in knowledge cannot be read")]
    Catalogue(#[from] CatalogueError),
    /// Something was about to leave that held a secret in use. It was withheld, the credentials are
    /// cleared, and the run ended.
    #[error(transparent)]
    Leak(#[from] LeakBlocked),
    /// The thread is empty.
    #[error("nothing was said on thread {thread} yet; start it with a sentence")]
    NothingSaid {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread waits for nothing under that id.
    #[error("thread {thread} has no open question `{interrupt}`; `threads` shows what is open")]
    NoSuchInterrupt {
        /// The thread.
        thread: ThreadId,
        /// The id that was given.
        interrupt: InterruptId,
    },
}

/// The main agent with its five specialists, bound to one invocation's credential context.
///
/// There is no way to make one without a context:
///
/// ```compile_fail
/// # use ecs_agent_core::EcsDeepAgent;
/// let agent = EcsDeepAgent::builder().build(); // no context, no `build`
/// ```
pub struct EcsDeepAgent {
    session: Session,
    toolbox: Toolbox,
}

impl std::fmt::Debug for EcsDeepAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcsDeepAgent")
            .field("thread", &self.session.thread)
            .finish_non_exhaustive()
    }
}

/// The agent's builder, before it has a context.
#[derive(Debug)]
pub struct WantsContext(());

/// The agent's builder, before it has settings.
#[derive(Debug)]
pub struct WantsSettings {
    context: Arc<CredentialContext>,
    sources: Sources,
}

/// The agent's builder, complete.
pub struct Ready {
    context: Arc<CredentialContext>,
    sources: Sources,
    settings: InvocationSettings,
    trail: Option<Arc<AuditTrail>>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl EcsDeepAgent {
    /// Begins with what must come first: a credential context.
    #[must_use]
    pub const fn builder() -> WantsContext {
        WantsContext(())
    }

    /// Runs until the thread's run ends or waits for a person.
    ///
    /// # Errors
    /// [`AgentError`], when the log cannot be used or the answer fits no open question. What was
    /// logged stays.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a thread that [`Input::Continue`] takes up.
    pub(crate) async fn run(
        &self,
        input: Input,
        cancel: &CancellationToken,
    ) -> Result<(Stop, ThreadLog), AgentError> {
        let session = &self.session;
        let mut log = ThreadLog::open(
            session.trail.clone(),
            &session.settings,
            &session.context,
            session.thread,
            agents(
                &self.toolbox,
                &session.settings.prompts,
                session.settings.mode,
            ),
        )
        .await?;
        let ran = match begin(&mut log, session, input).await? {
            Some(stop) => Ok(stop),
            None => drive(&mut log, session, &self.toolbox, cancel).await,
        };
        // Before the context is cleared, and also when the log could not be written.
        session.mcp.end().await;
        Ok((ran?, log))
    }
}

impl WantsContext {
    /// Binds the agent to this context, and to what may fill it.
    #[must_use]
    pub fn credential_context(
        self,
        context: Arc<CredentialContext>,
        sources: Sources,
    ) -> WantsSettings {
        WantsSettings { context, sources }
    }
}

impl WantsSettings {
    /// Gives model, store, budgets and the rest.
    #[must_use]
    pub fn settings(self, settings: InvocationSettings) -> Ready {
        Ready {
            context: self.context,
            sources: self.sources,
            settings,
            trail: None,
        }
    }
}

impl Ready {
    /// Writes into a trail that was begun already.
    pub(crate) fn trail(mut self, trail: Arc<AuditTrail>) -> Self {
        self.trail = Some(trail);
        self
    }

    /// The agent of that thread.
    ///
    /// # Errors
    /// [`AgentError::Catalogue`], if the built-in knowledge is broken.
    pub fn build(self, thread: ThreadId) -> Result<EcsDeepAgent, AgentError> {
        let trail = self.trail.unwrap_or_else(|| {
            let person = self.sources.person().map(str::to_owned);
            AuditTrail::new(self.settings.clone(), thread, self.context.clone(), person)
        });
        let aws = observe_operations().ok().map(|allowed| ChildAws {
            context: Arc::clone(&self.context),
            allowed,
            limits: EndpointLimits::default(),
        });
        Ok(EcsDeepAgent {
            session: Session {
                mcp: McpTools::new(&self.settings.mcp_servers, aws),
                trail,
                context: self.context,
                sources: self.sources,
                settings: self.settings,
                thread,
                catalogue: Catalogue::embedded()?,
                frame_key: frame_key(),
            },
            toolbox: Toolbox::standard(),
        })
    }
}

/// Takes what is configured into the thread's log, if it is another than what is there. What a team
/// wants its agents to know is taken once: a thread keeps to what it began with.
async fn configure(log: &mut ThreadLog, session: &Session) -> Result<(), AgentError> {
    let settings = &session.settings;
    let spec = log.thread().spec();
    let limits = std::iter::once(spec)
        .chain(&spec.subagents)
        .filter_map(|agent| {
            let window_tokens = settings.model.profile(&agent.name).input_window?;
            let limits = AgentLimits {
                window_tokens: Some(window_tokens),
                max_steps: None,
            };
            Some((agent.name.clone(), limits))
        });
    let mut wanted = settings
        .guidance
        .configuration(settings.approvals.clone(), limits.collect());
    let present = log.state().configuration();
    if *present != Configuration::default() {
        wanted.guidance = present.guidance.clone();
    }
    if *present != wanted {
        let configuration = wanted;
        log.append(EventBody::Configured { configuration }).await?;
    }
    Ok(())
}

/// Logs what starts this run. `None` when there is nothing to run: the thread ended, or waits.
async fn begin(
    log: &mut ThreadLog,
    session: &Session,
    input: Input,
) -> Result<Option<Stop>, AgentError> {
    match input {
        Input::Say(text) => {
            log.append(EventBody::HumanSaid {
                id: MessageId::new(Uuid::now_v7()),
                text,
            })
            .await?;
        }
        Input::Answer {
            interrupt,
            answer,
            by,
        } => {
            if !log.state().interrupts().contains_key(&interrupt) {
                return Err(AgentError::NoSuchInterrupt {
                    thread: session.thread,
                    interrupt,
                });
            }
            log.append(EventBody::InterruptAnswered {
                interrupt_id: interrupt,
                answer,
                by,
            })
            .await?;
        }
        Input::Continue => match log.thread().status() {
            ThreadStatus::Ended(outcome) => return Ok(Some(Stop::Ended(outcome))),
            ThreadStatus::Interrupted => return Ok(Some(Stop::Interrupted)),
            ThreadStatus::Idle if log.state().messages().is_empty() => {
                return Err(AgentError::NothingSaid {
                    thread: session.thread,
                });
            }
            ThreadStatus::Idle | ThreadStatus::Running => {}
        },
    }
    configure(log, session).await?;
    let run = RunId::new(Uuid::now_v7());
    log.append(EventBody::RunStarted {
        run,
        budgets: session.settings.budgets,
    })
    .await?;
    Ok(None)
}
