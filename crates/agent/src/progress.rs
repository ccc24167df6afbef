//! What is told while an invocation runs: a typed stream.

use ecs_agent_runtime::{Event, FramePath};

/// Something that happened.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An event was made durable: a step, a tool, a subagent's beginning or end.
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
    /// A model is writing. What it has written stands when its `ModelReplied` event comes, and is
    /// void when another event of this frame comes instead.
    Delta {
        /// Whose turn it is: the main agent's, or a subagent's.
        frame: &'a FramePath,
        /// The agent's name.
        agent: &'a str,
        /// 1 the first time; another number begins anew.
        attempt: u32,
        /// What it has written.
        piece: Piece<'a>,
    },
}

/// A piece of a model's answer, whole words at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// More of what it says.
    Text(&'a str),
    /// More of how it comes to that.
    Reasoning(&'a str),
    /// It begins to call that tool.
    ToolCall(&'a str),
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
