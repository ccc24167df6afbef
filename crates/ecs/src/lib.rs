//! The Amazon ECS domain: identify, observe, analyse, plan, operate, verify.
//!
//! The way through: read a service into an [`Observation`]; [`analyse`] it against the
//! [`Catalogue`]; [`propose`] a plan of typed operations; carry it out only as a
//! `Plan<Approved>`; [`judge`] the service again. Everything but the reading and the writing is a
//! pure function.

mod analyse;
mod aws;
mod catalogue;
mod handover;
mod identify;
pub mod inspect;
mod observation;
mod observe;
mod observe_policy;
mod operate;
mod plan;
pub mod report;
mod roles;
mod verify;

pub use analyse::{
    CheckedClaim, Citation, Claim, ClaimError, ClaimStanding, Confidence, Diagnosis, Disagreement,
    Finding, GroundError, Quote, Role, TimelineEntry, Verdict, analyse, check_claims, disagreement,
    ground, ground_quote,
};
pub use aws::{AwsClients, AwsError, AwsErrorKind, ClientsError, TextCleaner};
pub use catalogue::{
    Catalogue, CatalogueError, Check, Fix, FixMode, FixOperation, Grade, IamNeeds, LookAlike,
    Matching, Mode, ModeRisk, RiskLevel, Severity, Symptom,
};
pub use handover::{claim_table, diagnosis_table, evidence_lines, observation_table};
pub use identify::{Identification, SearchHints, ServiceCandidate, identify};
pub use observation::{
    Cited, ContainerDefinition, ContainerHealthCheck, ContainerInstanceSnapshot, ContainerSnapshot,
    DeploymentSnapshot, Evidence, EvidenceId, EvidenceLog, Gap, GapReason, HealthCheck,
    ImageSnapshot, ListenerSnapshot, LoadBalancerSnapshot, LogConfiguration, LogGroupSnapshot,
    LogLine, NatGatewaySnapshot, NetworkAclEntry, NetworkAclSnapshot, NetworkSnapshot, Observation,
    PortMapping, RoleSnapshot, RouteSnapshot, RouteTableSnapshot, ScalingSnapshot, SecretReference,
    SecretSnapshot, SecurityGroupSnapshot, SecurityRule, ServiceEvent, ServiceSnapshot,
    SimulatedAction, StackSnapshot, SubnetSnapshot, TargetGroupSnapshot, TargetSnapshot,
    TaskDefinitionSnapshot, TaskSnapshot, VpcEndpointSnapshot,
};
pub use observe::{ObserveError, ObserveOptions, ServiceTarget, observe};
pub use observe_policy::{observe_actions, observe_operations, observe_policy};
pub use operate::{Attempt, not_undone, operate, roll_back, undo, unknown};
pub use plan::{
    APPROVAL_MINUTES, Advice, Alternative, Approval, ApprovalError, Approved, AwsvpcNetwork,
    CircuitBreaker, CpuArchitecture, CreateLogGroup, DerivedPlan, DiffLine, Direction, Drift,
    Fingerprint, GrantError, HealthyPercents, Inverse, ModifyTargetGroupHealthCheck, Operation,
    Peer, Permission, Plan, PlanContent, PlanError, PlanHash, PlanOrigin, PlanSession, PortRule,
    Precondition, Produced, Proposed, ProposedOperation, RegisterScalableTarget,
    RegisterTaskDefinitionRevision, RequestRecord, RevisionRef, Risk, SecurityGroupRuleChange,
    Step, StepOutcome, StepStatus, StepTooLarge, StopTask, TaskDefinitionChange, UpdateService,
    WeighedPlan, propose, weigh,
};
pub use roles::{RoleTemplate, operate_actions, role_template};
pub use verify::{Baseline, Verification, VerificationState, judge, rollback_plan};

#[cfg(test)]
mod testing;
