//! Limits of one run, so that a model that loops or stalls ends with a clear word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much one run may use.
///
/// A run that continues after a crash or an interrupt keeps its counts; the time that nothing was
/// running (a crash, a person thinking) does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budgets {
    /// Model turns of all agents together.
    pub max_steps: u32,
    /// Tool calls of all agents together, built-in ones included.
    pub max_tool_calls: u32,
    /// Tokens read and written.
    pub max_tokens: u64,
    /// Money, in millionths of a US dollar, as far as prices are known. `None` is without limit.
    pub max_cost_microdollars: Option<u64>,
    /// Working time.
    pub max_seconds: u64,
    /// How often one model call is tried before its agent gives up.
    pub max_model_attempts: u32,
    /// How often a call may get the same answer before it is refused; as often again, and the agent
    /// is ended. 0 is without limit.
    pub max_repeats: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            max_steps: 200,
            max_tool_calls: 400,
            max_tokens: 2_000_000,
            max_cost_microdollars: None,
            max_seconds: 3_600,
            max_model_attempts: 4,
            max_repeats: 4,
        }
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Model turns.
    Steps,
    /// Tool calls.
    ToolCalls,
    /// Tokens.
    Tokens,
    /// Working time.
    Time,
    /// Money.
    Cost,
    /// The same call with the same answer.
    Repeats,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "model turns",
            Self::ToolCalls => "tool calls",
            Self::Tokens => "tokens",
            Self::Time => "working time",
            Self::Cost => "cost",
            Self::Repeats => "repeated calls",
        })
    }
}
