//! Scenarios: a healthy world, what happened to it, and the truth about it.
//!
//! A scenario is a YAML file (`scenarios/*.yaml`, described in `docs/scenarios.md`). Building it lays
//! out the healthy world of its templates, lets time pass, applies each event at its moment and lets
//! the scheduler derive the rest up to the scenario's start.

mod apply;
mod build;
mod change;
mod check;
mod definition;
mod identities;
mod library;
mod network;
mod repairs;
mod review;
mod symptoms;
mod templates;

pub(crate) use change::Change;
pub use definition::{Scenario, Target, Truth};
pub(crate) use library::Simulation;
pub use review::{Mistake, Review};

/// Why a scenario cannot be used. Each message says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The text is not a scenario.
    #[error("{file}: {problem}")]
    Malformed {
        /// The file it came from.
        file: String,
        /// Line, field and what is expected there.
        problem: String,
    },
    /// The text is a scenario, but a part of it makes no sense.
    #[error("{scenario}: {field}: {problem}")]
    Inconsistent {
        /// The scenario's name.
        scenario: String,
        /// The field, as a path.
        field: String,
        /// What is wrong and how to put it right.
        problem: String,
    },
    /// There is no built-in scenario of that name.
    #[error("there is no scenario `{name}`; known are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
