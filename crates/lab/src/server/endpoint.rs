//! From an HTTP request to an AWS answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::control;
use super::faults::Afterwards;
use super::journal::{RequestOutcome, RequestRecord};
use super::lab::Lab;
use crate::handlers::{self, Call, Effect, Need};
use crate::iam::{Access, Identity};
use crate::wire::{
    ApiError, Authorization, Protocol, Route, SignatureProblem, SignedRequest, render_error,
    render_output,
};

/// More than any operation here needs.
const MAX_BODY_BYTES: usize = 1 << 20;

pub(super) fn router(lab: Arc<Lab>) -> Router {
    control::routes().fallback(aws).with_state(lab)
}

async fn aws(
    State(lab): State<Arc<Lab>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    if !lab.latency().is_zero() {
        tokio::time::sleep(lab.latency()).await;
    }
    answer(&lab, &parts, &body, peer, arrived)
}

/// What is known about a request by the time it is answered.
#[derive(Default)]
struct Trail {
    caller: Option<Identity>,
    needs: Vec<Need>,
    mutating: bool,
    afterwards: Option<Afterwards>,
}

fn answer(lab: &Lab, parts: &Parts, body: &[u8], peer: SocketAddr, arrived: Instant) -> Response {
    let request_id = lab.next_request_id();
    let virtual_now = lab.now();
    let authorization = Authorization::parse(&parts.headers);
    let scope = match &authorization {
        Ok(Some(authorization)) => authorization.service.as_str(),
        Ok(None) | Err(_) => "",
    };
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let route = Route::read(path, query, &parts.headers, body, scope);

    let mut trail = Trail::default();
    let result = match &authorization {
        Ok(None) => Err(ApiError::MissingAuthentication),
        Err(problem) => Err(signature_error(problem)),
        Ok(Some(authorization)) => serve(
            lab,
            parts,
            body,
            authorization,
            &route,
            virtual_now,
            &mut trail,
        ),
    };
    let outcome = match &result {
        Ok(_) => RequestOutcome::Allowed,
        Err(error) => outcome(error, route.protocol),
    };
    let (status, headers, body) = match &result {
        Ok(_) if trail.afterwards == Some(Afterwards::Error) => {
            render_error(&route, &Afterwards::error(), &request_id)
        }
        Ok(output) => render_output(&route, output, &request_id),
        Err(error) => render_error(&route, error, &request_id),
    };
    let (access_key_id, region) = match authorization {
        Ok(Some(authorization)) => (authorization.access_key_id, authorization.region),
        Ok(None) | Err(_) => (String::new(), String::new()),
    };
    let session = trail
        .caller
        .as_ref()
        .and_then(|caller| caller.session.as_ref());
    let mut resources: Vec<String> = trail.needs.into_iter().map(|need| need.resource).collect();
    resources.dedup();
    lab.record(RequestRecord {
        sequence: 0,
        at: virtual_now,
        request_id,
        access_key_id,
        principal: trail.caller.as_ref().map(|caller| caller.arn.clone()),
        session_name: session.map(|session| session.name.clone()),
        source_identity: session.and_then(|session| session.source_identity.clone()),
        narrowed: session.is_some_and(|session| session.narrowed),
        account: trail.caller.as_ref().map(|caller| caller.account.clone()),
        region,
        service: route.service,
        operation: route.operation,
        mutating: trail.mutating,
        outcome,
        resources,
        source_port: peer.port(),
        span: (arrived, Instant::now()),
    });

    let body = match trail.afterwards {
        Some(Afterwards::Lost) => broken_off(),
        Some(Afterwards::Error) | None => Body::from(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let date = virtual_now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(http::header::DATE, date);
    }
    response
}

/// A body that ends the connection instead of coming.
fn broken_off() -> Body {
    let end = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Body::from_stream(futures_util::stream::once(async { Err::<Vec<u8>, _>(end) }))
}

fn serve(
    lab: &Lab,
    parts: &Parts,
    body: &[u8],
    authorization: &Authorization,
    route: &Route,
    virtual_now: DateTime<Utc>,
    trail: &mut Trail,
) -> Result<Value, ApiError> {
    let operation = handlers::find(&route.service, &route.operation);
    trail.mutating = operation.is_some_and(|operation| operation.effect == Effect::Mutates);
    let now = Utc::now();
    let token = match parts.headers.get("x-amz-security-token") {
        None => None,
        Some(token) => Some(token.to_str().map_err(|_| ApiError::UnknownKey)?),
    };
    let presented = lab
        .directory()
        .present(&authorization.access_key_id, token, now)?;
    let signed = SignedRequest {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body,
    };
    signed
        .verify(authorization, &presented.secret, [now, virtual_now])
        .map_err(|problem| signature_error(&problem))?;
    let caller = &*trail.caller.insert(presented.identity);
    let region = authorization.region.as_str();

    let scoped = if authorization.service == "monitoring" {
        "cloudwatch"
    } else {
        &authorization.service
    };
    if scoped != route.service {
        return Err(ApiError::BadSignature {
            message: format!(
                "Credential should be scoped to correct service: '{}'. ",
                route.service
            ),
        });
    }
    trail.afterwards = lab.fault(&route.service, &route.operation)?;
    if route.service == "sts" && route.operation == "AssumeRole" {
        if let Some(role) = route.input.text("RoleArn") {
            trail.needs.push(Need::on("sts:AssumeRole", role));
        }
        return handlers::assume_role(&mut lab.directory(), caller, region, &route.input, now);
    }
    let Some(operation) = operation else {
        return Err(ApiError::Unsimulated {
            service: route.service.clone(),
            operation: route.operation.clone(),
        });
    };
    let mut world = lab.world();
    let mut call = Call::new(&mut world, caller, region, &route.input);
    trail.needs = (operation.needs)(&call);
    for need in &trail.needs {
        check(caller, region, need, route.protocol)?;
    }
    (operation.run)(&mut call)
}

fn check(caller: &Identity, region: &str, need: &Need, protocol: Protocol) -> Result<(), ApiError> {
    let mut context = caller.context(region);
    for (key, value) in &need.context {
        context.insert(key.clone(), vec![value.clone()]);
    }
    let access = Access {
        action: need.action,
        resource: &need.resource,
        context: &context,
    };
    match caller.may(&access).refusal(&caller.arn, &access) {
        None => Ok(()),
        Some(refusal) if protocol == Protocol::Ec2 => Err(ApiError::Denied {
            message: format!("You are not authorized to perform this operation. {refusal}"),
        }),
        Some(message) => Err(ApiError::Denied { message }),
    }
}

fn outcome(error: &ApiError, protocol: Protocol) -> RequestOutcome {
    let (code, _, _) = error.render(protocol);
    match error {
        ApiError::Denied { .. }
        | ApiError::UnknownKey
        | ApiError::BadSignature { .. }
        | ApiError::ExpiredToken
        | ApiError::MissingAuthentication => RequestOutcome::Denied(code),
        ApiError::Modelled { .. }
        | ApiError::Throttled
        | ApiError::Internal { .. }
        | ApiError::Unsimulated { .. } => RequestOutcome::Failed(code),
    }
}

fn signature_error(problem: &SignatureProblem) -> ApiError {
    let message = match problem {
        SignatureProblem::Incomplete(part) => format!(
            "Authorization header requires '{part}' parameter, or the parameter does not cover \
             what it must."
        ),
        SignatureProblem::BadDate => {
            "Authorization header requires existence of a 'X-Amz-Date' header in ISO-8601 basic \
             format."
                .to_owned()
        }
        SignatureProblem::Skewed { signed_at, now } => {
            let basic = |at: &DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
            let (signed, present) = (basic(signed_at), basic(now));
            if signed_at < now {
                format!("Signature expired: {signed} is now earlier than {present} - 5 min.")
            } else {
                format!(
                    "Signature not yet current: {signed} is still later than {present} + 5 min."
                )
            }
        }
        SignatureProblem::Mismatch => {
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details."
                .to_owned()
        }
    };
    ApiError::BadSignature { message }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
