//! Sending an allowed request on, under the context's own signature.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;

use super::gate::Gate;
use super::inspect::Asked;
use super::refusal::Refusal;
use crate::calls::Via;
use crate::context::CredentialContext;

/// Request headers that go on. Everything else is left behind: the child's signature, its
/// hop-by-hop headers, and whatever a proxy or a service could take for more than it is.
const FORWARDED: [&str; 6] = [
    "accept",
    "accept-encoding",
    "content-type",
    "smithy-protocol",
    "user-agent",
    "x-amz-target",
];

/// Response headers that concern one connection only.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Signs the request with the context's credentials as they are now, and returns AWS's answer as it
/// is.
pub(super) async fn forward(
    context: &Arc<CredentialContext>,
    child: &str,
    gate: &Gate,
    asked: &Asked,
    request: &Parts,
    body: Bytes,
    longest_response: usize,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let region = context.region().map_err(|_| Refusal::NoCredentials)?;
    let (endpoint, signed_for) = asked.service.place(context.endpoints(), &region);
    let unsigned = Unsigned {
        url: format!(
            "{endpoint}{}",
            request
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
        ),
        method: request.method.as_str(),
        headers: FORWARDED
            .iter()
            .filter_map(|name| Some((*name, request.headers.get(*name)?.to_str().ok()?)))
            .collect(),
        body,
    };
    context
        .ensure_fresh()
        .await
        .map_err(|_| Refusal::NoCredentials)?;
    let keys = context.signing_keys().map_err(|_| Refusal::NoCredentials)?;
    // The context may have been filled anew while it was waited for. Looked at after the keys were
    // taken, it can only be newer than they are, and what it is not for is refused once more.
    gate.check_context(context)?;
    let mut signed = unsigned
        .signed_by(&keys.into(), asked.service.signing_name, &signed_for)
        .ok_or(Refusal::Malformed("it cannot be signed"))?;
    signed.add_extension(Via {
        child: child.to_owned(),
        operation: asked.operation.clone(),
    });
    let answer = context.wire().send(signed).await;
    let answer = answer.map_err(|_| match context.is_cleared() {
        true => Refusal::NoCredentials,
        false => Refusal::Unreachable,
    })?;
    read(answer, longest_response).await
}

struct Unsigned<'a> {
    url: String,
    method: &'a str,
    headers: Vec<(&'static str, &'a str)>,
    body: Bytes,
}

impl Unsigned<'_> {
    fn signed_by(&self, identity: &Identity, service: &str, region: &str) -> Option<HttpRequest> {
        let mut request = http::Request::builder().method(self.method).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(SdkBody::from(self.body.clone())).ok()?;
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = self.headers.iter().copied();
        let body = SignableBody::Bytes(&self.body);
        let signable = SignableRequest::new(self.method, self.url.as_str(), headers, body).ok()?;
        let (instructions, _signature) = sign(signable, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).ok()
    }
}

async fn read(answer: HttpResponse, longest: usize) -> Result<Response<Full<Bytes>>, Refusal> {
    let status = answer.status();
    if (300..400).contains(&status.as_u16()) {
        return Err(Refusal::Redirected);
    }
    let mut headers = http::HeaderMap::new();
    for (name, value) in answer.headers() {
        let kept = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        if let Some((name, value)) = kept.filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())) {
            headers.append(name, value);
        }
    }
    let mut stream = ByteStream::new(answer.into_body());
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| Refusal::Unreachable)?;
        if body.len() + part.len() > longest {
            return Err(Refusal::ResponseTooLarge(longest));
        }
        body.extend_from_slice(&part);
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        http::StatusCode::from_u16(status.as_u16()).map_err(|_| Refusal::Unreachable)?;
    *response.headers_mut() = headers;
    Ok(response)
}
