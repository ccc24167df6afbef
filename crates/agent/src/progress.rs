//! What is told while an invocation runs.

use ecs_agent_runtime::Event;

/// Something that happened.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An event was made durable.
    Event {
        /// Its number in the thread's log.
        seq: u64,
        /// The event.
        event: &'a Event,
    },
    /// A remark that is not part of the log.
    Note {
        /// The agent whose tool is at work.
        agent: &'a str,
        /// What it is doing.
        text: &'a str,
    },
}

/// Who is told. Called on the invocation's cell: must not block.
pub trait ProgressSink: Send + Sync {
    /// Takes note.
    fn progress(&self, progress: &Progress<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl ProgressSink for Silent {
    fn progress(&self, _progress: &Progress<'_>) {}
}
