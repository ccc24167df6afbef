//! The tools of other people's servers, as one invocation may use them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::child::Ending;
use super::consent::{Consent, Difference};
use super::declared::{DeclaredServer, Reach, ToolEffect};
use super::definition::{Offer, ToolDefinition};
use super::digest::Digest;
use super::error::ChildError;
use super::guest::{ChoiceAnswer, Guest};
use super::identity::{ServerIdentity, Whereabouts};
use super::lazy::Lazy;
use super::name::{NameError, QualifiedName, ServerName};
use super::pool::Gap;
use super::remote::RemoteServer;
use super::server::ChildServer;
use super::settings::{ChildAws, ChildCredentials};
use super::talk::Call;
use super::untrusted::Untrusted;

/// Why a tool of another server was not called, or gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// Not the name of such a tool.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such server.
    #[error("there is no MCP server `{server}` in the configuration")]
    NoServer {
        /// What was asked for.
        server: ServerName,
    },
    /// The configuration does not name the tool.
    #[error("`{tool}` is not among the tools that the configuration allows")]
    NotAllowed {
        /// What was asked for.
        tool: QualifiedName,
    },
    /// It changes something.
    #[error("`{tool}` changes something: a specialist cannot call it")]
    Changes {
        /// What was asked for.
        tool: QualifiedName,
    },
    /// Nobody accepted the server.
    #[error(
        "nobody has accepted the MCP server `{server}`: look at it with `ecs-deep-agent mcp-servers \
         trust {server}`"
    )]
    NotAccepted {
        /// The server.
        server: ServerName,
    },
    /// It is not what was accepted.
    #[error(
        "`{tool}` is quarantined: {why}. `ecs-deep-agent mcp-servers show {}` shows what changed",
        .tool.server
    )]
    Quarantined {
        /// What was asked for.
        tool: QualifiedName,
        /// What is different.
        why: String,
    },
    /// The server failed, or asks something.
    #[error(transparent)]
    Server(#[from] ChildError),
}

/// A tool that may be called, as a person accepted it.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// How it is called.
    pub name: QualifiedName,
    /// What it does, as the operator says.
    pub effect: ToolEffect,
    /// What its server said of it when it was accepted.
    pub definition: ToolDefinition,
}

impl OfferedTool {
    /// Returns what its server said that it does.
    #[must_use]
    pub fn description(&self) -> Untrusted {
        let said = self.definition.description.clone();
        Untrusted::new(self.name.server.as_str(), said.unwrap_or_default())
    }
}

/// One call of a tool that reads.
#[derive(Debug)]
pub struct ToolRequest<'a> {
    /// `SERVER__tool`.
    pub tool: &'a str,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The person's answer, when the same call asked before.
    pub answer: Option<(Digest, ChoiceAnswer)>,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAnswer {
    /// Which tool.
    pub name: QualifiedName,
    /// The definition that was in force.
    pub definition: Digest,
    /// What it said.
    pub said: Untrusted,
    /// How much of it may go further, in characters.
    pub longest: usize,
}

/// A configured server in one invocation.
#[derive(Debug)]
struct Place {
    declared: DeclaredServer,
    server: Lazy<Server>,
}

/// The configured servers of one invocation, each started when it is first called.
///
/// Nothing is shared with another invocation. Make it on the cell, end it there before the context
/// is cleared, and keep nothing of it: dropping it kills what was not ended.
#[derive(Debug)]
pub struct McpTools {
    aws: Option<ChildAws>,
    places: BTreeMap<ServerName, Place>,
}

impl McpTools {
    /// The tools of these servers, none of them started. `aws` is for those that are to have it.
    #[must_use]
    pub fn new(servers: &[DeclaredServer], aws: Option<ChildAws>) -> Self {
        let places = servers.iter().map(|declared| {
            let place = Place {
                declared: declared.clone(),
                server: Lazy::new(),
            };
            (declared.name.clone(), place)
        });
        Self {
            aws,
            places: places.collect(),
        }
    }

    /// Lists what can be called: allowed by the configuration and accepted by a person.
    pub fn offered(&self) -> Vec<OfferedTool> {
        let offered = self.places.values().flat_map(|place| {
            let declared = &place.declared;
            declared.tools.iter().filter_map(|(tool, effect)| {
                let consent = declared.consent.as_ref()?;
                Some(OfferedTool {
                    name: declared.qualified(tool),
                    effect: *effect,
                    definition: consent.tools.get(tool)?.clone(),
                })
            })
        });
        offered.collect()
    }

    /// Lists what every diagnosis asks, by the tools' names here.
    pub fn diagnose_calls(&self) -> Vec<(QualifiedName, Map<String, Value>)> {
        let calls = self.places.values().flat_map(|place| {
            let declared = &place.declared;
            let calls = declared.diagnose.iter();
            calls.map(|call| (declared.qualified(&call.tool), call.arguments.clone()))
        });
        calls.collect()
    }

    /// Lists the servers that nobody has accepted.
    pub fn gaps(&self) -> Vec<Gap> {
        let places = self.places.values();
        let unaccepted = places.filter(|place| place.declared.consent.is_none());
        unaccepted
            .map(|place| {
                let server = place.declared.name.clone();
                Gap {
                    server: server.to_string(),
                    reason: ToolError::NotAccepted { server }.to_string(),
                }
            })
            .collect()
    }

    /// Tells whether a server is to have the invocation's AWS.
    #[must_use]
    pub fn needs_aws(&self, tool: &str) -> bool {
        let name: Result<QualifiedName, _> = tool.parse();
        let place = name.ok().and_then(|name| self.places.get(&name.server));
        place.is_some_and(|place| match &place.declared.reach {
            Reach::Child(settings) => settings.credentials != ChildCredentials::None,
            Reach::Remote(_) => false,
        })
    }

    /// Calls a tool that reads. The server is started if need be, and asked what it offers now: a
    /// tool that is not what was accepted is not called.
    ///
    /// # Errors
    /// [`ToolError`]: a gap to go on with, or a question to the person.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; the server stays.
    pub async fn call(&self, request: ToolRequest<'_>) -> Result<ToolAnswer, ToolError> {
        let name: QualifiedName = request.tool.parse()?;
        let place = self
            .places
            .get(&name.server)
            .ok_or_else(|| ToolError::NoServer {
                server: name.server.clone(),
            })?;
        let declared = &place.declared;
        match declared.tools.get(&name.tool) {
            None => return Err(ToolError::NotAllowed { tool: name }),
            Some(ToolEffect::Changes) => return Err(ToolError::Changes { tool: name }),
            Some(ToolEffect::Reads) => {}
        }
        let consent = declared
            .consent
            .as_ref()
            .ok_or_else(|| ToolError::NotAccepted {
                server: name.server.clone(),
            })?;
        let quarantined = |why: String| ToolError::Quarantined {
            tool: name.clone(),
            why,
        };
        let accepted = consent
            .tools
            .get(&name.tool)
            .ok_or_else(|| quarantined("nobody has accepted it".to_owned()))?;
        // Before anything of it runs.
        let at = whereabouts(declared)?;
        if at != consent.identity.at {
            let now = ServerIdentity {
                at,
                ..consent.identity.clone()
            };
            let difference = consent.difference(&now, &Offer::default());
            return Err(quarantined(
                difference.quarantines(&name.tool).unwrap_or_default(),
            ));
        }
        let running = place
            .server
            .get(Server::start(declared, self.aws.as_ref()))
            .await?;
        let running = running.ok_or_else(|| ChildError::Gone {
            server: name.server.to_string(),
        })?;
        let difference = running.difference(consent, at).await?;
        if let Some(why) = difference.quarantines(&name.tool) {
            return Err(quarantined(why));
        }
        let call = Call {
            tool: name.tool.as_str(),
            arguments: request.arguments,
            answer: request.answer,
        };
        Ok(ToolAnswer {
            definition: accepted.digest(),
            said: running.call(call).await?,
            longest: declared.result_chars,
            name,
        })
    }

    /// Returns the number of a child's process and how clean its room is, if it runs.
    pub async fn child(&self, server: &ServerName) -> Option<(u32, super::level::RoomLevel)> {
        let place = self.places.get(server)?;
        match &*place.server.running().await? {
            Server::Child(child) => Some((child.process(), child.level())),
            Server::Remote(_) => None,
        }
    }

    /// Ends every server that was started, all at once; none is started afterwards.
    pub async fn end(&self) -> BTreeMap<ServerName, Ending> {
        let endings = self.places.iter().map(|(name, place)| async move {
            match &*place.server.take().await? {
                Server::Child(child) => Some((name.clone(), child.end().await?)),
                Server::Remote(remote) => {
                    remote.end().await;
                    None
                }
            }
        });
        let ended = futures_util::future::join_all(endings).await;
        ended.into_iter().flatten().collect()
    }
}

/// What a server is and offers, found out by starting it once, without any AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Which server it is.
    pub identity: ServerIdentity,
    /// What it offers.
    pub offer: Offer,
}

impl Inspection {
    /// Starts a server, asks what it offers, and ends it. Nothing is accepted by that.
    ///
    /// # Errors
    /// [`ChildError`]; nothing of the server is left then either.
    pub async fn of(declared: &DeclaredServer) -> Result<Self, ChildError> {
        let mut declared = declared.clone();
        if let Reach::Child(settings) = &mut declared.reach {
            settings.credentials = ChildCredentials::None;
        }
        let at = whereabouts(&declared)?;
        let server = Server::start(&declared, None).await?;
        let listed = server.list().await;
        let identity = server.identity(at);
        match &server {
            Server::Child(child) => drop(child.end().await),
            Server::Remote(remote) => remote.end().await,
        }
        Ok(Self {
            identity,
            offer: listed?,
        })
    }

    /// Compares with what was accepted, if anything was.
    #[must_use]
    pub fn difference(&self, consent: Option<&Consent>) -> Difference {
        match consent {
            Some(consent) => consent.difference(&self.identity, &self.offer),
            None => Difference::from_nothing(&self.offer),
        }
    }
}

fn whereabouts(declared: &DeclaredServer) -> Result<Whereabouts, ChildError> {
    match &declared.reach {
        Reach::Remote(settings) => Ok(Whereabouts::Url(settings.url.clone())),
        Reach::Child(settings) => {
            Whereabouts::of_program(settings).map_err(|source| ChildError::Start {
                server: declared.name.to_string(),
                source,
            })
        }
    }
}

/// A server that runs, however it is reached.
#[derive(Debug)]
enum Server {
    Child(ChildServer),
    Remote(RemoteServer),
}

impl Server {
    async fn start(declared: &DeclaredServer, aws: Option<&ChildAws>) -> Result<Self, ChildError> {
        let guest = Guest::of(declared.name.as_str(), declared.may_ask);
        match &declared.reach {
            Reach::Child(settings) => ChildServer::start_as(guest, settings.clone(), aws)
                .await
                .map(Self::Child),
            Reach::Remote(settings) => RemoteServer::begin(guest, settings.clone())
                .await
                .map(Self::Remote),
        }
    }

    async fn call(&self, call: Call<'_>) -> Result<Untrusted, ChildError> {
        match self {
            Self::Child(child) => child.call_with(call).await,
            Self::Remote(remote) => remote.call_with(call).await,
        }
    }

    async fn list(&self) -> Result<Offer, ChildError> {
        match self {
            Self::Child(child) => child.list().await,
            Self::Remote(remote) => remote.list().await,
        }
    }

    fn identity(&self, at: Whereabouts) -> ServerIdentity {
        let (name, version) = match self {
            Self::Child(child) => child.calls_itself(),
            Self::Remote(remote) => remote.calls_itself(),
        };
        ServerIdentity {
            at,
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }

    /// How the server differs from what was accepted, asked anew: it may change whenever it likes,
    /// and whether it says so is up to it.
    async fn difference(
        &self,
        consent: &Consent,
        at: Whereabouts,
    ) -> Result<Difference, ChildError> {
        let offer = self.list().await?;
        Ok(consent.difference(&self.identity(at), &offer))
    }
}
