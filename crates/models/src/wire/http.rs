//! The HTTP client behind a wire: time limits, size limits, and the key at the last moment.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use rig_core::http_client::{
    BoxedStream, Error, HttpClientExt, LazyBody, MultipartForm, Request, Response, Result,
    StreamingResponse,
};

use crate::api_key::ApiKey;
use crate::settings::Timeouts;
use crate::wire::heard::Heard;

/// Most bytes of an answer. An answer of a model has a few hundred thousand at most.
const LARGEST_ANSWER: usize = 64 << 20;

/// Most bytes that are read of an answer that says what went wrong.
const LARGEST_COMPLAINT: usize = 64 << 10;

/// Where a provider looks for its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyHeader {
    /// `authorization: Bearer …`.
    Bearer,
    /// `x-api-key`.
    ApiKey,
    /// `x-goog-api-key`.
    GoogleApiKey,
}

impl KeyHeader {
    const fn name(self) -> HeaderName {
        match self {
            Self::Bearer => AUTHORIZATION,
            Self::ApiKey => HeaderName::from_static("x-api-key"),
            Self::GoogleApiKey => HeaderName::from_static("x-goog-api-key"),
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer ",
            Self::ApiKey | Self::GoogleApiKey => "",
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made for a model")]
pub struct WireClientError(#[from] reqwest::Error);

/// What went wrong below a provider's answer. The text is for a person and holds no URL: some
/// providers take the key in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("no connection to `{host}` ({reason})")]
    Connect { host: String, reason: String },
    #[error("no answer from `{host}` within {} s", .after.as_secs_f32())]
    Silent { host: String, after: Duration },
    #[error("its answer stalled for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("its answer broke off ({0})")]
    Broken(String),
    #[error("its answer has more than {LARGEST_ANSWER} bytes")]
    TooLarge,
}

/// The client of one model. A clone shares it.
#[derive(Clone)]
pub(crate) struct WireClient {
    inner: Arc<Inner>,
    /// Who is told what a stream says of its usage.
    heard: Arc<Heard>,
}

struct Inner {
    client: reqwest::Client,
    key: Option<Arc<ApiKey>>,
    key_header: KeyHeader,
    timeouts: Timeouts,
}

impl std::fmt::Debug for WireClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WireClient")
    }
}

impl WireClient {
    pub(crate) fn new(
        key: Option<Arc<ApiKey>>,
        key_header: KeyHeader,
        timeouts: Timeouts,
    ) -> std::result::Result<Self, WireClientError> {
        // A connection lives on the event loop that opened it, and an invocation's loop ends with
        // it: nothing is kept for the next one. Redirects would take the key along.
        let client = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()?;
        let inner = Arc::new(Inner {
            client,
            key,
            key_header,
            timeouts,
        });
        Ok(Self {
            inner,
            heard: Arc::default(),
        })
    }

    /// The same client for one call, which tells `heard` what its stream says of its usage.
    pub(crate) fn telling(&self, heard: &Arc<Heard>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            heard: Arc::clone(heard),
        }
    }
}

impl Inner {
    /// Sends a request and waits for the head of its answer.
    async fn send(&self, parts: Parts, body: Bytes) -> Result<reqwest::Response> {
        let host = parts.uri.host().unwrap_or("the provider").to_owned();
        let mut headers = parts.headers;
        headers.remove(self.key_header.name());
        if let Some(key) = &self.key {
            headers.insert(
                self.key_header.name(),
                key.header(self.key_header.scheme())?,
            );
        }
        let sending = self
            .client
            .request(parts.method, without_key(&parts.uri))
            .headers(headers)
            .body(body)
            .send();
        let after = self.timeouts.first_byte;
        let response = tokio::time::timeout(after, sending)
            .await
            .map_err(|_elapsed| {
                Error::instance(WireError::Silent {
                    host: host.clone(),
                    after,
                })
            })?
            .map_err(|error| {
                let reason = root_cause(&error.without_url());
                Error::instance(WireError::Connect { host, reason })
            })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, LARGEST_COMPLAINT, after).await;
        let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        Err(Error::non_success_with_details(status, headers, body))
    }
}

impl HttpClientExt for WireClient {
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        T: Into<Bytes> + Send,
        U: From<Bytes> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let (parts, body) = request.into_parts();
        let body = body.into();
        async move {
            let response = inner.send(parts, body).await?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(response.headers());
            }
            let body = read(response, LARGEST_ANSWER, inner.timeouts.first_byte).await?;
            let body: LazyBody<U> = Box::pin(std::future::ready(Ok(U::from(body))));
            Ok(answer.body(body)?)
        }
    }

    fn send_multipart<U>(
        &self,
        _request: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        U: From<Bytes> + Send + 'static,
    {
        // No completion is sent as a form.
        std::future::ready(Err(Error::NoHeaders))
    }

    fn send_streaming<T>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<StreamingResponse>> + Send
    where
        T: Into<Bytes> + Send,
    {
        let inner = Arc::clone(&self.inner);
        let heard = Arc::clone(&self.heard);
        let (parts, body) = request.into_parts();
        let body = body.into();
        async move {
            let response = inner.send(parts, body).await?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(response.headers());
            }
            let chunks = chunks(response, inner.timeouts);
            let body: BoxedStream = Box::pin(chunks.inspect_ok(move |chunk| heard.piece(chunk)));
            Ok(answer.body(body)?)
        }
    }
}

/// The pieces of a body. The first may take as long as an answer may; the others come promptly.
fn chunks(
    response: reqwest::Response,
    timeouts: Timeouts,
) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
    let body = response.bytes_stream().boxed();
    let start = (body, timeouts.first_byte, 0_usize);
    stream::try_unfold(start, move |(mut body, patience, read)| async move {
        let next = tokio::time::timeout(patience, body.next())
            .await
            .map_err(|_elapsed| Error::instance(WireError::Stalled(patience)))?;
        let Some(chunk) = next else {
            return Ok(None);
        };
        let chunk = chunk.map_err(|error| {
            Error::instance(WireError::Broken(root_cause(&error.without_url())))
        })?;
        let read = read.saturating_add(chunk.len());
        if read > LARGEST_ANSWER {
            return Err(Error::instance(WireError::TooLarge));
        }
        Ok(Some((chunk, (body, timeouts.between_chunks, read))))
    })
}

/// A body that is not streamed, whole.
async fn read(response: reqwest::Response, most: usize, within: Duration) -> Result<Bytes> {
    let reading = response
        .bytes_stream()
        .map_err(|error| Error::instance(WireError::Broken(root_cause(&error.without_url()))))
        .try_fold(Vec::new(), |mut all, chunk| async move {
            if all.len().saturating_add(chunk.len()) > most {
                return Err(Error::instance(WireError::TooLarge));
            }
            all.extend_from_slice(&chunk);
            Ok(all)
        });
    let all = tokio::time::timeout(within, reading)
        .await
        .map_err(|_elapsed| Error::instance(WireError::Stalled(within)))??;
    Ok(all.into())
}

/// The URL without the parameter that a wire puts a key into; ours goes into a header.
fn without_key(uri: &http::Uri) -> String {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("key="))
        .collect();
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}{path}{mark}{}", kept.join("&"))
}

/// The innermost cause: what the system or TLS said.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_parameter_is_taken_out_of_a_url() {
        for (given, kept) in [
            (
                "https://g.example/v1/m:gen?key=",
                "https://g.example/v1/m:gen",
            ),
            (
                "https://g.example/m?alt=sse&key=abc",
                "https://g.example/m?alt=sse",
            ),
            (
                "http://127.0.0.1:80/v1/messages",
                "http://127.0.0.1:80/v1/messages",
            ),
        ] {
            assert_eq!(without_key(&given.parse().unwrap()), kept);
        }
    }
}
