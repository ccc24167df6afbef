//! Why a plan cannot be made.

/// Why a plan, or one operation of it, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no root cause to repair.
    #[error("there is nothing to repair: {verdict}")]
    NothingToRepair {
        /// The diagnosis's summary.
        verdict: String,
    },
    /// A target was not read as part of the service.
    #[error(
        "operation {operation}: `{target}` is not {kind} of this service; use one that was observed"
    )]
    NotInInventory {
        /// Its position, counted from 1.
        operation: usize,
        /// What it should have been, such as `a security group`.
        kind: &'static str,
        /// What was named.
        target: String,
    },
    /// A value is outside what this program may write.
    #[error("operation {operation}: `{field}` may not be `{value}`: {rule}")]
    ValueRefused {
        /// Its position, counted from 1.
        operation: usize,
        /// Which parameter.
        field: &'static str,
        /// The value.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The operation changes nothing.
    #[error("operation {operation} changes nothing: leave it out")]
    NoChange {
        /// Its position, counted from 1.
        operation: usize,
    },
    /// The operation needs something that could not be read.
    #[error("operation {operation} needs {what}, which could not be read: see the gaps")]
    Unknown {
        /// Its position, counted from 1.
        operation: usize,
        /// What is missing.
        what: &'static str,
    },
    /// A plan of no operations was proposed.
    #[error("the plan has no operations: propose at least one, or report what a person has to do")]
    Empty,
    /// More operations than a person can judge.
    #[error("the plan has {count} operations and {most} is the most: propose the smallest repair")]
    TooLong {
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A single operation's permissions do not fit one session.
    #[error(
        "operation {operation} alone needs more than one session takes: propose a smaller change, or \
         leave it to a person ({size})"
    )]
    OperationTooLarge {
        /// Its position, counted from 1.
        operation: u32,
        /// How much too much.
        size: ecs_agent_credentials::PolicyError,
    },
}
