//! Our tools for other people's assistants.

mod backend;
mod catalogue;
mod handler;
mod message;
mod progress;
mod stdio;
mod text;

pub use backend::{Backend, BackendError, BoxFuture};
pub use handler::ToolServer;
pub use message::{
    Action, AppName, BuildImageParams, ContainerizeParams, CreateInfrastructureParams,
    DeleteAppParams, DeleteInfrastructureParams, DeploymentStatusParams, DiagnoseParams,
    DiagnoseResponse, DiagnosisStatus, EcsQuestion, FoundService, GuidanceParams, IdentifyParams,
    IdentifyResponse, ImagePullParams, Match, NetworkParams, PlanResponse, PrerequisitesParams,
    Question, QuestionOption, ReportResponse, ResourceManagementParams, ScanParams,
    ServiceEventsParams, StackParams, TaskFailuresParams, TaskLogsParams, ThreadParams,
    ThreadSummary, ThreadsParams, ThreadsResponse, TroubleshootingParams, WaitForServiceParams,
};
pub use progress::Progress;
pub use stdio::{McpError, serve, serve_stdio};
