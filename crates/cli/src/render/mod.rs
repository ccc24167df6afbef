//! What people and programs read: terminal, Markdown, JSON.

mod document;
mod outcome;
mod plan;
mod style;
mod wrap;

pub(crate) use document::terminal_document;
pub(crate) use ecs_agent_untrusted::{escape, escape_line};
pub(crate) use outcome::{Outcome, newest_document};
pub(crate) use plan::plan_lines;
pub(crate) use style::{Meaning, Palette};
pub(crate) use wrap::wrap;
