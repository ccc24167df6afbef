//! The ECS Deep Agent: main agent, five specialists, their tools, and the invocation's life.
//!
//! [`invoke`] is the one way in: it makes an empty credential context, runs [`EcsDeepAgent`] on a
//! cell of its own and clears the context however that ends. The agent's steps are decided by the
//! state machine in `runtime`; the private driver only carries them out and logs each outcome
//! before anything follows from it.
//!
//! **Invariant:** no tool finds its credentials by looking them up. Every tool gets the
//! invocation's session as an argument, and a session cannot be made without a context.

mod agent;
mod books;
mod definition;
mod driver;
mod exits;
mod folder;
mod framing;
mod guidance;
mod invocation;
mod log;
mod progress;
mod prompts;
mod runbook;
mod session;
mod settings;
mod supervision;
mod timer;
mod tools;
mod trail;

pub use agent::{AgentError, EcsDeepAgent, Input, Ready, WantsContext, WantsSettings};
pub use definition::agent_definition;
pub use guidance::{GuidanceError, TeamGuidance};
pub use invocation::{InvocationError, InvocationResult, InvocationStatus, OpenInterrupt, invoke};
pub use log::LogError;
pub use progress::{Piece, Progress, ProgressSink, Silent};
pub use prompts::{PromptError, Prompts};
pub use runbook::RunbookModel;
pub use settings::{
    FurtherAccount, InvocationSettings, LogHook, LogMoment, Mode, Oversight, Permissions, REGISTRY,
    RegisteredService, ServiceHints, VerificationPace,
};
pub use timer::{Timer, TokioTimer};
