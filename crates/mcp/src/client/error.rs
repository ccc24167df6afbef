//! Why a server did not do what was asked.

use std::time::Duration;

use ecs_agent_credentials::SigningEndpointError;

use super::elicitation::{Choice, NotAsked};
use super::http::TokenError;
use super::untrusted::Untrusted;

/// Why a server did not do what was asked. Nothing of what it said is in here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// Its program did not start.
    #[error("failed to start the MCP server `{server}`: check `command` and what it may read")]
    Start {
        /// The server.
        server: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is to have AWS, and the invocation gives none.
    #[error("the MCP server `{server}` needs an invocation's credentials, and there are none here")]
    NoAws {
        /// The server.
        server: String,
    },
    /// There is no signing endpoint for it.
    #[error("the MCP server `{server}` gets no signing endpoint")]
    Endpoint {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: SigningEndpointError,
    },
    /// The token that it is shown cannot be read.
    #[error("the MCP server `{server}` cannot be shown its token")]
    Token {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: TokenError,
    },
    /// It did not begin a session.
    #[error("the MCP server `{server}` did not begin a session")]
    NoSession {
        /// The server.
        server: String,
    },
    /// It took too long.
    #[error("the MCP server `{server}` did not answer in {} s and was ended", .after.as_secs())]
    TimedOut {
        /// The server.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// It said more than it may.
    #[error("the MCP server `{server}` wrote more than {bytes} bytes and was ended")]
    TooMuch {
        /// The server.
        server: String,
        /// How much it may write.
        bytes: usize,
    },
    /// It went away.
    #[error("the MCP server `{server}` is gone")]
    Gone {
        /// The server.
        server: String,
    },
    /// It refused, or asked for something in return.
    #[error(
        "the MCP server `{server}` refused `{tool}` or asked for something that it does not get"
    )]
    Refused {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
    },
    /// The tool failed.
    #[error("`{tool}` of the MCP server `{server}` failed")]
    Failed {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
        /// What it said.
        said: Untrusted,
    },
    /// It wants the person to choose before it goes on.
    #[error("the MCP server `{server}` asks the person something")]
    Asks {
        /// The server.
        server: String,
        /// What.
        choice: Box<Choice>,
    },
    /// It wanted something of the person that it does not get, and gave no result.
    #[error("the MCP server `{server}` gave no result: {}", .why.reason())]
    AskedInVain {
        /// The server.
        server: String,
        /// What it wanted.
        why: NotAsked,
    },
    /// What it said held the token that it was shown.
    #[error("an answer of the MCP server `{server}` held its own token and was dropped")]
    Echo {
        /// The server.
        server: String,
    },
}
