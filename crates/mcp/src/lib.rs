//! The Model Context Protocol: our tools in other people's assistants.
//!
//! [`serve_stdio`] offers five tools over standard input and output. What they do is behind the
//! [`Backend`] trait, so that this crate knows the protocol and nothing of AWS: `server` gives the
//! backend that runs each call as an invocation of its own.
//!
//! **Invariant:** every tool reads. There is none that approves, answers or carries out, so what
//! a model on the other side says can never become a person's decision.

mod backend;
mod catalogue;
mod client;
mod message;
mod serve;
mod text;
mod tools;

pub use backend::{Backend, BackendError, BoxFuture};
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
pub use message::{
    DiagnoseParams, DiagnoseResponse, DiagnosisStatus, FindParams, FindResponse, FoundService,
    Match, PlanResponse, Question, QuestionOption, ReportResponse, ThreadParams, ThreadSummary,
    ThreadsParams, ThreadsResponse,
};
pub use serve::{McpError, serve, serve_stdio};
pub use tools::ToolServer;
