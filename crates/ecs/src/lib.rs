//! The Amazon ECS domain: identify, observe, analyse, plan, operate, verify.
//!
//! The way through: read a service into an [`Observation`]; [`analyse`] it against the
//! [`Catalogue`]; [`propose`] a plan of typed operations; carry it out only as a
//! `Plan<Approved>`; [`judge`] the service again. Everything but the reading and the writing is a
//! pure function.

mod analyse;
mod aws;
mod catalogue;
mod identify;
mod observation;
mod observe;
mod observe_policy;
mod operate;
mod plan;
pub mod report;
mod verify;

pub use analyse::{
    Citation, Confidence, Diagnosis, Finding, GroundError, Role, TimelineEntry, Verdict, analyse,
    ground, ground_quote,
};
pub use aws::{AwsClients, AwsError, AwsErrorKind, ClientsError, TextCleaner};
pub use catalogue::{
    Catalogue, CatalogueError, Check, Fix, FixMode, FixOperation, Grade, IamNeeds, LookAlike,
    Matching, Mode, ModeRisk, RiskLevel, Severity, Symptom,
};
pub use identify::{Identification, SearchHints, ServiceCandidate, identify};
pub use observation::{
    Cited, ContainerDefinition, ContainerHealthCheck, ContainerInstanceSnapshot, ContainerSnapshot,
    DeploymentSnapshot, Evidence, EvidenceId, EvidenceLog, Gap, GapReason, HealthCheck,
    ImageSnapshot, ListenerSnapshot, LoadBalancerSnapshot, LogConfiguration, LogGroupSnapshot,
    LogLine, NatGatewaySnapshot, NetworkAclSnapshot, NetworkSnapshot, Observation, PortMapping,
    RoleSnapshot, RouteSnapshot, RouteTableSnapshot, ScalingSnapshot, SecretReference,
    SecretSnapshot, SecurityGroupSnapshot, SecurityRule, ServiceEvent, ServiceSnapshot,
    SimulatedAction, StackSnapshot, SubnetSnapshot, TargetGroupSnapshot, TargetSnapshot,
    TaskDefinitionSnapshot, TaskSnapshot, VpcEndpointSnapshot,
};
pub use observe::{ObserveError, ObserveOptions, ServiceTarget, observe};
pub use observe_policy::observe_policy;
pub use operate::{Attempt, operate, roll_back};
pub use plan::{
    APPROVAL_MINUTES, Advice, Alternative, Approval, ApprovalError, Approved, AwsvpcNetwork,
    CircuitBreaker, CpuArchitecture, CreateLogGroup, DiffLine, Direction, Drift, Fingerprint,
    Inverse, ModifyTargetGroupHealthCheck, Operation, Peer, Permission, Plan, PlanContent,
    PlanError, PlanHash, PortRule, Precondition, Produced, Proposed, ProposedOperation,
    RegisterScalableTarget, RegisterTaskDefinitionRevision, RequestRecord, RevisionRef, Risk,
    SecurityGroupRuleChange, Step, StepOutcome, StepStatus, StopTask, TaskDefinitionChange,
    UpdateService, propose,
};
pub use verify::{Baseline, Verification, VerificationState, judge, rollback_plan};

// SEAM (fixed; the `agent` crate calls exactly these; remove this block when all of them exist):
//   observe_policy::observe_policy() (written)          pub mod report (see report/mod.rs for its signatures)
//   enum Attempt { First, OutcomeUnknown }              (in operate)
//   async fn operate(&AwsClients, &Plan<Approved>, step: u32, done: &[StepOutcome], Attempt) -> Result<StepOutcome, AwsError>
//   async fn roll_back(&AwsClients, &Plan<Approved>, done: &[StepOutcome], Attempt) -> Result<Vec<StepOutcome>, AwsError>   // inverse operations, last first, reconciling
//   async fn identify(&AwsClients, query: &str, hints: &SearchHints{cluster: Option<String>, service: Option<String>}) -> Result<Identification, AwsError>
//   async fn observe(&AwsClients, &ServiceTarget, &ObserveOptions{read_logs: bool, ..}) -> Result<Observation, AwsError>
//   struct ServiceTarget: Serialize + Deserialize + Display + Clone {cluster, service}   // stored in the thread; fn cluster_name(&self), service_name(&self) -> &str
//   impl ServiceTarget { async fn locate(&AwsClients, cluster: &str, service: &str) -> Result<Self, AwsError> }  // one DescribeServices: NotFound names cluster/service; fills ARNs
// and `pub mod report` (module stays named in paths: `ecs_agent_ecs::report::…`), exactly:
//   pub fn service_context(facts: &ServiceContextFacts<'_>) -> String                      /service_context.md
//   pub fn diagnostic_report(observation: &Observation, diagnosis: &Diagnosis, hypotheses: &[Hypothesis]) -> String
//   pub fn repair_plan<S>(plan: &Plan<S>) -> String                                        /repair_plan.md
//   pub fn execution_log(plan: &Plan<Approved>, done: &[StepOutcome], undone: &[StepOutcome]) -> String
//   pub fn final_report(report: &FinalReport<'_>) -> WrittenReport { verdict: String /* one line: "repaired: ..." | "rolled back: ..." | "not repaired: ..." */, text: String }
//   pub struct Hypothesis { pub claim: String, pub evidence: Vec<Citation> }
//   pub struct ServiceContextFacts<'a> { pub target: &'a ServiceTarget, pub region: &'a str, pub credentials: &'a ContextDescription /* masked */, pub reason: &'a str }
//   pub struct FinalReport<'a> { pub observation: &'a Observation, pub diagnosis: &'a Diagnosis, pub plan: &'a Plan<Approved>, pub carried_out: &'a [StepOutcome],
//        pub rolled_back: &'a [StepOutcome], pub verification: Option<&'a Verification>, pub last_observation: Option<&'a Observation> }
// and in `analyse`: pub fn ground_quote(&Observation, &Citation) -> Result<(), GroundError>

#[cfg(test)]
mod testing;
