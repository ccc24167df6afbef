//! What goes in and out of the tools. Schemas are generated from these types.

mod aws;
mod repair;
mod service;
mod thread;

pub(crate) use aws::question;
pub use aws::{
    Action, AppName, BuildImageParams, ContainerizeParams, CreateInfrastructureParams,
    DeleteAppParams, DeleteInfrastructureParams, DeploymentStatusParams, EcsQuestion,
    GuidanceParams, ImagePullParams, NetworkParams, PrerequisitesParams, ResourceManagementParams,
    ServiceEventsParams, StackParams, TaskFailuresParams, TaskLogsParams, TroubleshootingParams,
    WaitForServiceParams,
};
pub use repair::{
    ExecuteParams, ExecuteResponse, ProposalStatus, ProposeParams, ProposeResponse, RepairStatus,
    WaitingPlan,
};
pub use service::{
    DiagnoseParams, DiagnoseResponse, DiagnosisStatus, FoundService, IdentifyParams,
    IdentifyResponse, Match, Question, QuestionOption, ScanParams,
};
pub use thread::{
    PlanResponse, ReportResponse, ThreadParams, ThreadSummary, ThreadsParams, ThreadsResponse,
};
