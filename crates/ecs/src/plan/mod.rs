//! Plans: typed operations, why, what they change, and a person's approval of exactly that.
//!
//! A plan is made by [`propose`] or, from a language model's words, by [`Plan::from_model`]; both
//! go through the same rules. It is specific enough that nothing is left to decide when it runs.

mod advise;
mod build;
mod describe;
mod diff;
mod error;
mod expected;
mod fingerprint;
mod lifecycle;
mod operation;
mod permissions;
mod proof;
mod propose;
mod remedy;
mod render;
mod sessions;
mod step;
mod validate;
mod weigh;

pub use build::ProposedOperation;
pub use error::PlanError;
pub use fingerprint::{Drift, Fingerprint};
pub use lifecycle::{
    APPROVAL_MINUTES, Approval, ApprovalError, Approved, GrantError, Plan, PlanContent, PlanHash,
    Proposed,
};
pub(crate) use operation::WRITE_ACTIONS;
pub use operation::{
    AwsvpcNetwork, CircuitBreaker, CpuArchitecture, CreateLogGroup, Direction, HealthyPercents,
    ModifyTargetGroupHealthCheck, Operation, Peer, PortRule, RegisterScalableTarget,
    RegisterTaskDefinitionRevision, RevisionRef, SecurityGroupRuleChange, StopTask,
    TaskDefinitionChange, UpdateService,
};
pub(crate) use proof::good_revision;
pub use propose::propose;
pub(crate) use render::{needs, shown, undo};
pub use sessions::{PlanSession, StepTooLarge};
pub use weigh::{DerivedPlan, PlanOrigin, WeighedPlan, weigh};

pub use step::{
    Advice, Alternative, DiffLine, Inverse, Permission, Precondition, Produced, RequestRecord,
    Risk, Step, StepOutcome, StepStatus,
};
