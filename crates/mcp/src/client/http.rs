//! A server elsewhere: where it is, what it is shown, and how HTTP with it is done.
//!
//! One HTTP client for each server of each invocation. It follows no redirect, uses no proxy, speaks
//! plain HTTP to the loopback interface only, and puts the token of this server, and no other token,
//! into each request for itself.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _};
use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use serde::{Deserialize, Serialize};
use sse_stream::Sse;
use zeroize::Zeroizing;

use super::output::Allowance;

/// Longest token.
const LONGEST_TOKEN: u64 = 16 * 1024;

/// The address of an MCP server: `https`, or `http` on the loopback interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(String);

/// Not an address that an MCP server may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a server's URL is `https://host/path`, or `http://` on the loopback interface by its number, such \
     as `http://127.0.0.1:8000/mcp`; without a user, a query or a fragment"
)]
pub struct ServerUrlError;

impl ServerUrl {
    /// Returns the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        let uri: http::Uri = text.parse().map_err(|_| ServerUrlError)?;
        let host = uri.host().ok_or(ServerUrlError)?;
        let authority = uri.authority().ok_or(ServerUrlError)?.as_str();
        let number: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let scheme_fits = match uri.scheme_str() {
            Some("https") => true,
            // A name could be resolved to anywhere.
            Some("http") => number.is_some_and(|number| number.is_loopback()),
            Some(_) | None => false,
        };
        let plain = !authority.contains('@') && uri.query().is_none() && !text.contains('#');
        match scheme_fits && plain && text.is_ascii() {
            true => Ok(Self(text.to_owned())),
            false => Err(ServerUrlError),
        }
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = ServerUrlError;

    fn try_from(text: String) -> Result<Self, ServerUrlError> {
        text.parse()
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server over streamable HTTP.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// Its name here.
    pub name: String,
    /// Where it is.
    pub url: ServerUrl,
    /// A file with the token that it is shown, and nobody else.
    pub token: Option<TokenFile>,
    /// Time until a session must have begun.
    pub start_timeout: Duration,
    /// Time that one call may take.
    pub call_timeout: Duration,
    /// Bytes that it may write during one call.
    pub output_bytes: usize,
}

/// A file that holds one token. It is read for each request, so that a new token needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile(PathBuf);

/// Why a token cannot be used. Nothing of it is in here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read.
    #[error("failed to read the token file `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can read it.
    #[error("the token file `{}` can be read by others: `chmod 600` it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no token.
    #[error("the token file `{}` does not hold one token: printable ASCII without spaces, up to 16 KiB", .path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl TokenFile {
    /// Names a file. It is not read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads the token; it is wiped when the value is dropped.
    pub(super) fn read(&self) -> Result<Zeroizing<String>, TokenError> {
        let path = || self.0.clone();
        let unreadable = |source| TokenError::Unreadable {
            path: path(),
            source,
        };
        let about = std::fs::metadata(&self.0).map_err(unreadable)?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(TokenError::Open { path: path() });
        }
        if about.len() > LONGEST_TOKEN {
            return Err(TokenError::NoToken { path: path() });
        }
        let text = Zeroizing::new(std::fs::read_to_string(&self.0).map_err(unreadable)?);
        let token = Zeroizing::new(text.trim_end().to_owned());
        let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        match fits {
            true => Ok(token),
            false => Err(TokenError::NoToken { path: path() }),
        }
    }
}

/// HTTP with one server, for one invocation.
#[derive(Clone)]
pub(super) struct RemoteClient {
    http: reqwest::Client,
    token: Option<Arc<TokenFile>>,
    allowance: Allowance,
}

impl fmt::Debug for RemoteClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteClient")
    }
}

type Failure = StreamableHttpError<reqwest::Error>;
type Stream = BoxStream<'static, Result<Sse, SseError>>;

impl RemoteClient {
    pub(super) fn of(settings: &RemoteSettings, allowance: Allowance) -> reqwest::Result<Self> {
        // SECURITY: a redirect or a proxy would carry the token elsewhere.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(!settings.url.is_plain())
            .referer(false)
            .connect_timeout(settings.start_timeout)
            .user_agent(concat!("ecs-deep-agent/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            token: settings.token.clone().map(Arc::new),
            allowance,
        })
    }

    /// The headers of one request.
    fn headers(
        &self,
        mut headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<HashMap<HeaderName, HeaderValue>, Failure> {
        if let Some(token) = &self.token {
            let token = token.read().map_err(io::Error::other)?;
            let shown = Zeroizing::new(format!("Bearer {}", *token));
            let mut value = HeaderValue::from_str(&shown).map_err(io::Error::other)?;
            value.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// Stops what says more than the call under way may say.
    fn bounded(&self, stream: Stream) -> Stream {
        let allowance = self.allowance.clone();
        let counted = stream.map(move |event| {
            let event = event?;
            let bytes = event.data.as_ref().map_or(0, String::len) + 1;
            match allowance.spend(bytes) {
                true => Ok(event),
                false => Err(SseError::Body(Box::new(io::Error::other(
                    "more output than a call may have",
                )))),
            }
        });
        counted.boxed()
    }

    fn limits(&self) -> StreamableHttpResponseLimits {
        let mut limits = StreamableHttpResponseLimits::default();
        limits.max_sse_event_size = self.allowance.left();
        limits.max_json_response_size = self.allowance.left();
        limits.max_error_response_size = 4 * 1024;
        limits
    }

    fn noted<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(StreamableHttpError::ResponseBodyTooLarge { .. }) = &done {
            self.allowance.exceed();
        }
        done
    }
}

impl StreamableHttpClient for RemoteClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _no_other_token: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let headers = self.headers(custom_headers)?;
        let limits = self.limits();
        let posted = self
            .http
            .post_message_with_response_limits(uri, message, session_id, None, headers, limits)
            .await;
        let posted = self.noted(posted)?;
        Ok(
            if let StreamableHttpPostResponse::Sse(stream, session) = posted {
                StreamableHttpPostResponse::Sse(self.bounded(stream), session)
            } else {
                posted
            },
        )
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _no_other_token: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let headers = self.headers(custom_headers)?;
        self.http.delete_session(uri, session, None, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _no_other_token: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Stream, Failure> {
        let headers = self.headers(custom_headers)?;
        let most = self.limits().max_sse_event_size;
        let opened = self
            .http
            .get_stream_with_max_sse_event_size(uri, session_id, last_event_id, None, headers, most)
            .await;
        Ok(self.bounded(self.noted(opened)?))
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
