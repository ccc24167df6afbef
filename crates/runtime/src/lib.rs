//! The deep agent core: a sans-IO state machine over one thread's event log.
//!
//! A [`Thread`] folds [`Event`]s into state and says, as a pure function of that state, what is
//! outstanding: [`Effect`]s. A driver starts every effect that it has not in flight, appends each
//! outcome to the log, then applies it:
//!
//! ```text
//! loop {
//!     for effect in thread.effects() that are not in flight { start it }
//!     event = the next outcome
//!     thread.check(&event)?; log.append(&event)?; thread.apply(&event)?;
//! }
//! ```
//!
//! There is no async, no clock, no randomness and no disk in here: times and ids arrive in events.
//! So a crash at any point is a shorter log, folding it is recovery, and a test may stop, reorder
//! and repeat whatever it likes.
//!
//! Subagents are nested frames of the same machine, each with its own messages; files and values
//! are the thread's and shared. The built-in tools (`write_todos`, `ls`, `read_file`, `write_file`,
//! `edit_file`, `delete`, `glob`, `grep`, `task`) are carried out inside [`Thread::apply`]; every other tool
//! is an effect. Nothing that a model or a tool says ends a run with an error: it is answered.

mod agent;
mod budget;
mod builtin;
mod configuration;
mod context;
mod effect;
mod estimate;
mod event;
mod file_operation;
mod files;
mod ids;
mod large_result;
mod message;
mod path;
mod repeats;
mod schema;
mod state;
mod thread;
mod todo;
mod usage;

pub use agent::{AgentSpec, BuiltinTools, ToolSpec};
pub use budget::{Budget, Budgets};
pub use builtin::tools_of;
pub use configuration::{
    AgentLimits, ApprovalRule, Configuration, DecisionKind, Guidance, MemoryFile, Mount,
    MountAccess, Skill,
};
pub use effect::{Answer, Attempt, Effect, EffectKey};
pub use estimate::estimated_tokens;
pub use event::{EVENT_VERSION, Event, EventBody, RunOutcome};
pub use file_operation::{FileOperation, Reach};
pub use files::{FileError, GrepOutput, VirtualFiles};
pub use ids::{
    AgentName, FramePath, InterruptId, MessageId, ParseIdError, RunId, ThreadId, ToolCallId,
};
pub use message::{
    FinishReason, Message, ModelRequest, OrphanError, Reasoning, ToolCall, ToolOutcome, ToolStatus,
};
pub use path::{FilePath, FilePathError};
pub use state::{Frame, OpenInterrupt, RunCounts, ThreadState, ThreadStatus};
pub use thread::{ApplyError, Thread};
pub use todo::{Todo, TodoStatus};
pub use usage::{Cost, Usage};
