//! The fault lab: a causal simulator of the AWS APIs that an Amazon ECS service depends on.
//!
//! A [`LabServer`] plays AWS on one port: it checks Signature Version 4, evaluates IAM policies
//! and session policies, speaks each service's own protocol, and answers from a world whose tasks,
//! targets, events and log lines follow from causes. Unmodified clients (the AWS CLI, boto3, the
//! AWS SDKs) work against it once their endpoint URL points at it.

mod handlers;
mod iam;
mod oracle;
mod scenario;
mod scheduler;
mod server;
mod wire;
mod world;

pub use oracle::HealthReport;
pub use scenario::{Mistake, Review, Scenario, ScenarioError, Target, Truth};
pub use server::{
    ClockMode, LabAccount, LabConfig, LabError, LabHandle, LabKeys, LabServer, LabSession,
    RequestOutcome, RequestRecord, WireFault, WireFaultKind,
};
