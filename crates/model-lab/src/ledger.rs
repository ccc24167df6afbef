//! What passed between the lab and whoever asked.

use serde::Serialize;

use crate::figures::Figures;
use crate::turn::Turn;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exchange {
    /// What was asked; `None` where it could not be read.
    pub turn: Option<Turn>,
    /// The status that was answered.
    pub status: u16,
    /// What the answer said, if it was an error.
    pub refused: Option<String>,
    /// The usage figures of the answer, as far as they arrived whole.
    pub told: Option<Figures>,
    /// Where the pieces of its body end that arrived whole, in bytes from its start.
    pub ends: Vec<usize>,
    /// Whether the answer arrived to its end.
    pub is_whole: bool,
}
