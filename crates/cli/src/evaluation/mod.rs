//! Measuring the agent on scenarios: each in a fresh lab, judged by what the lab knows.

mod confusion;
mod depth;
mod run;
mod score;
mod summary;

pub(crate) use confusion::Confusion;
pub(crate) use run::{Evaluator, Phase};
pub(crate) use score::Score;
pub(crate) use summary::Summary;
