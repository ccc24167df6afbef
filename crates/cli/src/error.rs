//! Why a command could not do its work, how that ends the program, and what to do next.

use std::io;
use std::path::PathBuf;

use ecs_agent_core::{AgentError, InvocationError};
use ecs_agent_ecs::CatalogueError;
use ecs_agent_lab::{LabError, ScenarioError};
use ecs_agent_mcp::McpError;
use ecs_agent_server::{ApiKeysError, ServeError};
use ecs_agent_store::{AuditError, LeaseError, OpenError, StoreError};

use crate::commands::InterleavingError;
use crate::config::ConfigurationError;
use crate::database::DatabaseUrlError;
use crate::environment::EnvironmentCredentialsError;
use crate::exit::Exit;
use crate::model_setup::ModelSetupError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The AWS SDK would write signed requests into the log.
    #[error(
        "`LOG_SIGNABLE_BODY` is set: with it the AWS SDK logs request bodies, secrets included"
    )]
    SignableBodies,
    /// Something that this program was about to write held a secret.
    #[error(transparent)]
    Leak(#[from] ecs_agent_credentials::LeakBlocked),
    /// No event loop.
    #[error("failed to start the event loop")]
    Runtime(#[source] io::Error),
    /// The process could not be closed to others.
    #[error("failed to protect this process's memory")]
    Unprotected(#[source] ecs_agent_credentials::HardenError),
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// No region is named.
    #[error(
        "no region: pass `--region`, set ECS_DEEP_AGENT_REGION, or write `region` into the configuration file"
    )]
    NoRegion,
    /// The keys in the environment.
    #[error(transparent)]
    EnvironmentCredentials(#[from] EnvironmentCredentialsError),
    /// The lab's own keys were refused by this program.
    #[error("the lab's generated keys cannot be used")]
    LabCredentials(#[from] ecs_agent_credentials::CredentialInputError),
    /// The lab gave something that is no identifier.
    #[error("the lab's account cannot be used")]
    LabIdentity(#[from] ecs_agent_credentials::IdentityError),
    /// There is no lab whose clock could be moved.
    #[error(
        "`--lab-clock` needs the endpoint of a lab on this machine: `--endpoint-url http://127.0.0.1:PORT`"
    )]
    NoLabClock,
    /// The server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The API keys.
    #[error(transparent)]
    ApiKeys(#[from] ApiKeysError),
    /// The session with an assistant.
    #[error("the session with the assistant failed")]
    Mcp(#[from] McpError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelSetupError),
    /// The directory of threads.
    #[error("failed to use the data directory `{}`", .path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The threads.
    #[error("failed to read or write the threads")]
    Store(#[from] StoreError),
    /// The audit chain.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The policy for reading that is built in.
    #[error("failed to make the policy for reading")]
    ObservePolicy(#[from] ecs_agent_credentials::PolicyError),
    /// The catalogue of failure modes that is built in.
    #[error("failed to read the catalogue of failure modes")]
    Catalogue(#[from] CatalogueError),
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The scenario's file.
    #[error("failed to read the scenario `{}`", .path.display())]
    ScenarioFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder without scenarios.
    #[error("the folder `{}` has no scenario: its files must end in `.yaml`", .path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No scenario is meant.
    #[error("there is no scenario `{name}`; there are {known}")]
    NoScenario {
        /// What the person typed.
        name: String,
        /// What they could have typed.
        known: String,
    },
    /// The figures could not be written.
    #[error("failed to write the figures to `{}`", .path.display())]
    EvalFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A lab without an account or a region.
    #[error("the scenario has no account or region to act in")]
    EmptyLab,
    /// The threads' file.
    #[error(transparent)]
    OpenStore(#[from] OpenError),
    /// The threads' database by URL.
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// The lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// An invocation ended without a result.
    #[error("the invocation ended without a result")]
    Invocation(#[from] InvocationError),
    /// The demo of the old flaw.
    #[error("the demo's two users could not be played")]
    Interleaving(#[from] InterleavingError),
    /// No server of that name.
    #[error("the configuration has no MCP server `{given}`: see `[mcp.servers]`")]
    NoMcpServer {
        /// What the person typed.
        given: String,
    },
    /// A server could not be looked at.
    #[error(transparent)]
    McpServer(#[from] ecs_agent_mcp::ChildError),
    /// No thread is meant.
    #[error("no thread matches `{given}`")]
    NoSuchThread {
        /// What the person typed.
        given: String,
    },
    /// Several threads are meant.
    #[error("{count} threads match `{given}`: type more of the id")]
    SeveralThreads {
        /// What the person typed.
        given: String,
        /// How many match.
        count: usize,
    },
    /// The thread has no report.
    #[error("thread {thread} has no report yet")]
    NoReport {
        /// The thread.
        thread: String,
    },
    /// The thread has no plan.
    #[error("thread {thread} has no plan yet")]
    NoPlan {
        /// The thread.
        thread: String,
    },
    /// An answer was given and nothing is asked.
    #[error("thread {thread} has no open question to answer")]
    NothingAsked {
        /// The thread.
        thread: String,
    },
    /// The answer is none of the options.
    #[error("`{given}` is not one of the options: {options}")]
    NoSuchOption {
        /// What the person typed.
        given: String,
        /// What they could have typed.
        options: String,
    },
    /// The prompt failed.
    #[error("failed to ask at the terminal")]
    Prompt(#[source] dialoguer::Error),
}

impl CliError {
    /// How the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::SignableBodies
            | Self::NoRegion
            | Self::NoLabClock
            | Self::DataDirectory { .. }
            | Self::Scenario(_)
            | Self::ScenarioFile { .. }
            | Self::EmptyFolder { .. }
            | Self::NoScenario { .. }
            | Self::EvalFile { .. }
            | Self::EmptyLab
            | Self::NoMcpServer { .. }
            | Self::OpenStore(_)
            | Self::DatabaseUrl(_)
            | Self::SeveralThreads { .. }
            | Self::NothingAsked { .. }
            | Self::NoSuchOption { .. } => Exit::Usage,
            Self::Configuration(ConfigurationError::NoCredentials)
            | Self::EnvironmentCredentials(_) => Exit::Credentials,
            Self::Model(error) if error.is_about_a_key() => Exit::Credentials,
            Self::Configuration(_) | Self::Model(_) => Exit::Usage,
            Self::Lab(LabError::Listen { .. } | LabError::Speed(_) | LabError::Scenario(_)) => {
                Exit::Usage
            }
            Self::Serve(ServeError::NotLoopback { .. } | ServeError::Listen { .. })
            | Self::Invocation(InvocationError::Agent(AgentError::Lease(LeaseError::Held {
                ..
            }))) => Exit::Usage,
            Self::McpServer(_) => Exit::Unreachable,
            Self::NoSuchThread { .. }
            | Self::NoReport { .. }
            | Self::NoPlan { .. }
            | Self::ApiKeys(ApiKeysError::NotFound { .. }) => Exit::NotFound,
            Self::ApiKeys(ApiKeysError::Store(_) | ApiKeysError::NoRandomness(_)) => Exit::Internal,
            Self::ApiKeys(_) => Exit::Usage,
            Self::Audit(problem) if problem.is_tampering() => Exit::Tampered,
            Self::Runtime(_)
            | Self::Leak(_)
            | Self::Unprotected(_)
            | Self::LabCredentials(_)
            | Self::LabIdentity(_)
            | Self::Store(_)
            | Self::ObservePolicy(_)
            | Self::Catalogue(_)
            | Self::Audit(_)
            | Self::Lab(_)
            | Self::Serve(_)
            | Self::Mcp(_)
            | Self::Invocation(_)
            | Self::Interleaving(_)
            | Self::Prompt(_) => Exit::Internal,
        }
    }

    /// What the person can do now, when the message does not say it already.
    pub(crate) fn next(&self) -> Option<String> {
        let next = match self {
            Self::SignableBodies => "unset LOG_SIGNABLE_BODY",
            Self::Configuration(ConfigurationError::NoCredentials) => {
                "pass `--profile NAME`, `--credentials env` for the keys in the environment, or \
                 `--credentials chain` for the AWS default chain"
            }
            Self::OpenStore(OpenError::Url | OpenError::Server { .. }) => {
                "`[database]` in the configuration file says where its URL is"
            }
            Self::DataDirectory { .. } | Self::OpenStore(_) => {
                "pass `--data-dir DIR` with a directory you can write to"
            }
            Self::Scenario(_) | Self::ScenarioFile { .. } => {
                "`ecs-deep-agent lab --list` names the built-in scenarios"
            }
            Self::NoSuchThread { .. } | Self::SeveralThreads { .. } => {
                "`ecs-deep-agent threads` lists them"
            }
            Self::NoReport { thread } | Self::NoPlan { thread } => {
                return Some(format!("`ecs-deep-agent resume {thread}` continues it"));
            }
            Self::Audit(problem) if problem.is_tampering() => {
                "keep a copy of the data directory as it is, and ask who can write to it"
            }
            Self::EnvironmentCredentials(EnvironmentCredentialsError::Missing(_)) => {
                "export the keys, or pass `--profile NAME`"
            }
            Self::Runtime(_)
            | Self::Leak(_)
            | Self::Unprotected(_)
            | Self::Configuration(_)
            | Self::Model(_)
            | Self::DatabaseUrl(_)
            | Self::NoRegion
            | Self::EnvironmentCredentials(_)
            | Self::LabCredentials(_)
            | Self::LabIdentity(_)
            | Self::Store(_)
            | Self::ObservePolicy(_)
            | Self::Catalogue(_)
            | Self::EmptyFolder { .. }
            | Self::NoScenario { .. }
            | Self::EvalFile { .. }
            | Self::Audit(_)
            | Self::EmptyLab
            | Self::NoLabClock
            | Self::Lab(_)
            | Self::Serve(_)
            | Self::ApiKeys(_)
            | Self::Mcp(_)
            | Self::NoMcpServer { .. }
            | Self::McpServer(_)
            | Self::Invocation(_)
            | Self::Interleaving(_)
            | Self::NothingAsked { .. }
            | Self::NoSuchOption { .. }
            | Self::Prompt(_) => return None,
        };
        Some(next.to_owned())
    }
}
