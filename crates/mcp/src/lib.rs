//! The Model Context Protocol, both ways.
//!
//! *Client*: other people's servers, asked in a diagnosis with this invocation's credentials.
//!
//! *Server*: [`serve_stdio`] offers our tools in other people's assistants. What they do is behind
//! the [`Backend`] trait, so that this crate knows the protocol and nothing of AWS: `server` gives
//! the backend that runs each call as an invocation of its own.
//!
//! **Invariant:** only `execute_repair` may lead to a change, and only through a [`PlanDecision`],
//! which nothing makes but a person's answer to a question of the program. An argument, which a
//! model on the other side writes, can never become one.

mod client;
mod server;

pub use client::{
    ArgumentSources, Change, ChildAws, ChildCredentials, ChildError, ChildLog, ChildNetwork,
    ChildPool, ChildServer, Choice, ChoiceAnswer, ChoiceOption, Consent, DeclaredServer,
    DetachedReach, DiagnoseCall, Difference, Digest, DigestError, Ending, EnvironmentVariable,
    EnvironmentVariableError, FieldChange, Gap, Inspection, McpRegistry, McpTools, NameError,
    NetworkLevel, NotAsked, Offer, OfferedTool, QualifiedName, Reach, RemoteSettings, RoomLevel,
    RoomLimits, ServerIdentity, ServerName, ServerSettings, ServerUrl, ServerUrlError, Sink,
    TokenError, TokenFile, ToolAnswer, ToolDefinition, ToolEffect, ToolError, ToolName,
    ToolRequest, Untrusted, Unusable, Whereabouts,
};
pub use server::{
    Action, AppName, Backend, BackendError, BoxFuture, BuildImageParams, ContainerizeParams,
    CreateInfrastructureParams, DeleteAppParams, DeleteInfrastructureParams,
    DeploymentStatusParams, DiagnoseParams, DiagnoseResponse, DiagnosisStatus, Document,
    EcsQuestion, ExecuteParams, ExecuteResponse, FoundService, GuidanceParams, HttpTools,
    IdentifyParams, IdentifyResponse, ImagePullParams, Match, McpError, NetworkParams,
    NoRandomness, PlanDecision, PlanResponse, PrerequisitesParams, Progress, ProposalStatus,
    ProposeParams, ProposeResponse, Question, QuestionOption, RepairStatus, ReportResponse,
    ResourceManagementParams, ScanParams, ServiceEventsParams, StackParams, TaskFailuresParams,
    TaskLogsParams, ThreadParams, ThreadSummary, ThreadsParams, ThreadsResponse, ToolServer,
    TroubleshootingParams, Verdict, WaitForServiceParams, WaitingPlan, serve, serve_stdio,
};
