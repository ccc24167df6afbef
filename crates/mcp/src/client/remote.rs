//! A session with a server elsewhere.

use rmcp::ClientLifecycleMode;
use rmcp::model::ProtocolVersion;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::NeverRetry;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::definition::Offer;
use super::error::ChildError;
use super::guest::Guest;
use super::http::{RemoteClient, RemoteSettings};
use super::output::Allowance;
use super::talk::{Bounds, Call, Talk, ends_session};
use super::untrusted::Untrusted;

/// A server over streamable HTTP, with a client and a session of its own.
#[derive(Debug)]
pub(super) struct RemoteServer {
    settings: RemoteSettings,
    calls_itself: (String, String),
    /// One call at a time, so that an allowance belongs to one call. None once it was ended.
    session: Mutex<Option<Talk>>,
}

impl RemoteServer {
    /// Begins a session.
    pub(super) async fn begin(guest: Guest, settings: RemoteSettings) -> Result<Self, ChildError> {
        let no_session = || ChildError::NoSession {
            server: settings.name.clone(),
        };
        // Told before anything is sent.
        if let Some(file) = &settings.token {
            file.read().map_err(|source| ChildError::Token {
                server: settings.name.clone(),
                source,
            })?;
        }
        let allowance = Allowance::of(settings.output_bytes);
        let client = RemoteClient::of(&settings, allowance.clone()).map_err(|_| no_session())?;
        let mut config = StreamableHttpClientTransportConfig::with_uri(settings.url.as_str());
        // What is lost is a gap; a call is not made again behind our back.
        config.retry_config = std::sync::Arc::new(NeverRetry::default());
        config.reinit_on_expired_session = false;
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        let talk = Talk::begin(
            &settings.name,
            guest,
            StreamableHttpClientTransport::with_client(client, config),
            lifecycle,
            allowance,
            Bounds {
                start_timeout: settings.start_timeout,
                call_timeout: settings.call_timeout,
                output_bytes: settings.output_bytes,
            },
        )
        .await?;
        Ok(Self {
            calls_itself: talk.calls_itself(),
            session: Mutex::new(Some(talk)),
            settings,
        })
    }

    pub(super) async fn call_with(&self, call: Call<'_>) -> Result<Untrusted, ChildError> {
        let mut session = self.session.lock().await;
        let talk = session.as_ref().ok_or_else(|| self.gone())?;
        let called = talk.call(call).await;
        let said = Self::settle(&mut session, called).await?;
        match self.holds_its_token(&said) {
            true => Err(ChildError::Echo {
                server: self.settings.name.clone(),
            }),
            false => Ok(said),
        }
    }

    pub(super) async fn list(&self) -> Result<Offer, ChildError> {
        let mut session = self.session.lock().await;
        let talk = session.as_ref().ok_or_else(|| self.gone())?;
        let listed = talk.list().await;
        Self::settle(&mut session, listed).await
    }

    async fn settle<T>(
        session: &mut Option<Talk>,
        done: Result<T, ChildError>,
    ) -> Result<T, ChildError> {
        if done.as_ref().is_err_and(ends_session)
            && let Some(talk) = session.take()
        {
            talk.close().await;
        }
        done
    }

    /// Looks for the token in an answer: as it is, backwards, in hexadecimal and in base64.
    fn holds_its_token(&self, said: &Untrusted) -> bool {
        let Some(Ok(token)) = self.settings.token.as_ref().map(|file| file.read()) else {
            return false;
        };
        let backwards = Zeroizing::new(token.chars().rev().collect::<String>());
        let hexadecimal = Zeroizing::new(
            token
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        );
        // A token that begins at another place of a group of three looks otherwise; what is left of
        // two characters at each end is the same.
        let base64: Vec<Zeroizing<String>> = (0..3)
            .map(|skipped| {
                Zeroizing::new(base64_of(
                    token.as_bytes().get(skipped..).unwrap_or_default(),
                ))
            })
            .collect();
        said.parse(|text| {
            let lower = Zeroizing::new(text.to_ascii_lowercase());
            let url_safe = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
            text.contains(token.as_str())
                || text.contains(backwards.as_str())
                || lower.contains(hexadecimal.as_str())
                || base64
                    .iter()
                    .any(|form| !form.is_empty() && url_safe.contains(form.as_str()))
        })
    }

    fn gone(&self) -> ChildError {
        ChildError::Gone {
            server: self.settings.name.clone(),
        }
    }

    pub(super) fn calls_itself(&self) -> (&str, &str) {
        (&self.calls_itself.0, &self.calls_itself.1)
    }

    pub(super) async fn end(&self) {
        if let Some(talk) = self.session.lock().await.take() {
            talk.close().await;
        }
    }
}

/// Whole groups only, so that it does not depend on what follows.
fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let whole = bytes.len() - bytes.len() % 3;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes.get(..whole).unwrap_or_default())
}
