//! An invocation's own children.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::child::Ending;
use super::error::ChildError;
use super::lazy::Lazy;
use super::server::ChildServer;
use super::settings::{ChildAws, ServerSettings};
use super::untrusted::Untrusted;

/// Something that a report must say is missing, because a server failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The server.
    pub server: String,
    /// Why there is nothing from it.
    pub reason: String,
}

/// The MCP servers of one invocation, each started when it is first called.
///
/// Nothing is shared with another invocation. Make it on the cell, end it there before the context
/// is cleared, and keep nothing of it: dropping it kills what was not ended.
#[derive(Debug)]
pub struct ChildPool {
    aws: Option<ChildAws>,
    servers: BTreeMap<String, Place>,
}

#[derive(Debug)]
struct Place {
    settings: ServerSettings,
    server: Lazy<ChildServer>,
}

impl ChildPool {
    /// A pool of these servers, none of them started. `aws` is for those that are to have it.
    #[must_use]
    pub fn new(servers: impl IntoIterator<Item = ServerSettings>, aws: Option<ChildAws>) -> Self {
        let servers = servers.into_iter().map(|settings| {
            let place = Place {
                settings: settings.clone(),
                server: Lazy::new(),
            };
            (settings.name, place)
        });
        Self {
            aws,
            servers: servers.collect(),
        }
    }

    /// Calls a tool of a server, starting the server if this is its first call.
    ///
    /// # Errors
    /// The named [`Gap`] to go on with: a failing server ends no invocation.
    pub async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<Untrusted, Gap> {
        let gap = |reason: String| Gap {
            server: server.to_owned(),
            reason,
        };
        let running = self.running(server).await.map_err(|e| gap(reason(&e)))?;
        let running = running.ok_or_else(|| gap("it is not there".to_owned()))?;
        let called = running.call(tool, arguments).await;
        called.map_err(|error| gap(reason(&error)))
    }

    /// Returns a server, started if need be; none if there is none of this name or it is over.
    ///
    /// # Errors
    /// [`ChildError`] if it cannot be started. It is not tried again.
    pub async fn running(&self, server: &str) -> Result<Option<Arc<ChildServer>>, ChildError> {
        let Some(place) = self.servers.get(server) else {
            return Ok(None);
        };
        let start = ChildServer::start(place.settings.clone(), self.aws.as_ref());
        place.server.get(start).await
    }

    /// Ends every server that was started, all at once; none is started afterwards.
    pub async fn end(&self) -> BTreeMap<String, Ending> {
        let endings = self.servers.iter().map(|(name, place)| async move {
            Some((name.clone(), place.server.take().await?.end().await?))
        });
        let ended = futures_util::future::join_all(endings).await;
        ended.into_iter().flatten().collect()
    }
}

/// The whole chain in one line.
pub(super) fn reason(error: &ChildError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
