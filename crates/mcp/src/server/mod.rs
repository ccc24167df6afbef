//! Our tools for other people's assistants.

mod backend;
mod catalogue;
mod decision;
mod execute;
mod handler;
mod http;
mod message;
mod progress;
mod prompt;
mod resource;
mod stdio;
mod text;

pub use backend::{Backend, BackendError, BoxFuture, Document};
pub use decision::{NoRandomness, PlanDecision, Verdict};
pub use handler::ToolServer;
pub use http::HttpTools;
pub use message::{
    Action, AppName, BuildImageParams, ContainerizeParams, CreateInfrastructureParams,
    DeleteAppParams, DeleteInfrastructureParams, DeploymentStatusParams, DiagnoseParams,
    DiagnoseResponse, DiagnosisStatus, EcsQuestion, ExecuteParams, ExecuteResponse, FoundService,
    GuidanceParams, IdentifyParams, IdentifyResponse, ImagePullParams, Match, NetworkParams,
    PlanResponse, PrerequisitesParams, ProposalStatus, ProposeParams, ProposeResponse, Question,
    QuestionOption, RepairStatus, ReportResponse, ResourceManagementParams, ScanParams,
    ServiceEventsParams, StackParams, TaskFailuresParams, TaskLogsParams, ThreadParams,
    ThreadSummary, ThreadsParams, ThreadsResponse, TroubleshootingParams, WaitForServiceParams,
    WaitingPlan,
};
pub use progress::Progress;
pub use stdio::{McpError, serve, serve_stdio};
