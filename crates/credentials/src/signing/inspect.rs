//! What a request asks for: service, operation and the error dialect of its client.

use http::Method;
use http::request::Parts;

use super::placeholder::only;
use super::refusal::{Dialect, Refusal};
use super::service::Service;

/// A request whose meaning is known beyond doubt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) service: &'static Service,
    pub(super) operation: String,
    pub(super) dialect: Dialect,
}

/// How errors must be written for whoever sent this, as far as can be told.
pub(super) fn dialect_of(request: &Parts) -> Dialect {
    if request.headers.contains_key("smithy-protocol") {
        return Dialect::Cbor;
    }
    if request.headers.contains_key("x-amz-target") {
        return Dialect::Json;
    }
    let scope = request
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    match scope.is_some_and(|scope| scope.contains("/ec2/aws4_request")) {
        true => Dialect::Ec2,
        false => Dialect::Query,
    }
}

/// Reads service and operation. `signed_for` is the service in the signature's scope.
///
/// SECURITY: AWS and this function must not be able to understand one request in two ways, so
/// there is exactly one place where its operation may stand, and it is refused when there are two.
pub(super) fn inspect(request: &Parts, body: &[u8], signed_for: &str) -> Result<Asked, Refusal> {
    let service = Service::signed_as(signed_for)
        .ok_or_else(|| Refusal::UnknownService(crate::text::excerpt(signed_for)))?;
    for name in ["x-amz-target", "smithy-protocol", "content-type", "host"] {
        if request.headers.contains_key(name) && only(request, name).is_none() {
            return Err(Refusal::Malformed("a header is there twice"));
        }
    }
    if request.headers.contains_key("content-encoding") {
        return Err(Refusal::Malformed("its body is compressed"));
    }
    let query = request.uri.query().unwrap_or_default();
    match (
        only(request, "smithy-protocol"),
        only(request, "x-amz-target"),
    ) {
        (Some(_), Some(_)) => Err(Refusal::Malformed("it names two protocols")),
        (Some(protocol), None) => rpc(request, protocol, query, service),
        (None, Some(target)) => json(request, target, query, service),
        (None, None) => form(request, query, body, service),
    }
}

/// Smithy RPC v2: the operation stands in the path.
fn rpc(
    request: &Parts,
    protocol: &str,
    query: &str,
    service: &'static Service,
) -> Result<Asked, Refusal> {
    if protocol != "rpc-v2-cbor" || request.method != Method::POST || !query.is_empty() {
        return Err(Refusal::Malformed("it is not a Smithy RPC v2 CBOR request"));
    }
    let path = request.uri.path();
    let (shape, operation) = path
        .strip_prefix("/service/")
        .and_then(|rest| rest.split_once("/operation/"))
        .ok_or(Refusal::Malformed("its path names no operation"))?;
    asked(service, shape, operation, Dialect::Cbor)
}

/// AWS JSON: the operation stands in `X-Amz-Target`.
fn json(
    request: &Parts,
    target: &str,
    query: &str,
    service: &'static Service,
) -> Result<Asked, Refusal> {
    if request.method != Method::POST || request.uri.path() != "/" || !query.is_empty() {
        return Err(Refusal::Malformed("it is not an AWS JSON request"));
    }
    let content_type = only(request, "content-type").unwrap_or_default();
    if !content_type.starts_with("application/x-amz-json-1.") {
        return Err(Refusal::Malformed("its content type is not AWS JSON"));
    }
    let (shape, operation) = target
        .rsplit_once('.')
        .ok_or(Refusal::Malformed("`X-Amz-Target` names no operation"))?;
    asked(service, shape, operation, Dialect::Json)
}

/// AWS Query and EC2 Query: the operation is the field `Action`, in the body or in the URL.
fn form(
    request: &Parts,
    query: &str,
    body: &[u8],
    service: &'static Service,
) -> Result<Asked, Refusal> {
    let dialect = dialect_of(request);
    let rest = request.uri.path() != "/" || !service.speaks_query;
    if rest {
        return Err(Refusal::NotAllowed {
            service: service.iam_prefix.to_owned(),
            operation: crate::text::excerpt(&format!("{} {}", request.method, request.uri.path())),
        });
    }
    let in_body = match request.method {
        Method::POST => body,
        Method::GET if body.is_empty() => &[],
        _ => return Err(Refusal::Malformed("its method is neither GET nor POST")),
    };
    // Whether a parser takes `;` for `&`, or a line break for an end, is up to the parser. Clients
    // encode both.
    let is_plain = |b: &u8| b.is_ascii_graphic() && *b != b';';
    if ![query.as_bytes(), in_body]
        .iter()
        .all(|form| form.iter().all(is_plain))
    {
        return Err(Refusal::Malformed(
            "its form has characters that are not encoded",
        ));
    }
    let content_type = only(request, "content-type").unwrap_or_default();
    let is_form = content_type.starts_with("application/x-www-form-urlencoded");
    if !in_body.is_empty() && !is_form {
        return Err(Refusal::Malformed("its content type is not that of a form"));
    }
    let fields = fields(query.as_bytes()).chain(fields(in_body));
    // Whatever a lenient parser could take for the name, not only the name.
    let mut actions = fields.filter(|(name, _)| {
        let letters = name.iter().filter(|b| b.is_ascii_alphabetic());
        letters.map(u8::to_ascii_lowercase).eq(*b"action")
    });
    let action = match (actions.next(), actions.next()) {
        (Some((name, value)), None) if name == b"Action" => value,
        _ => return Err(Refusal::Malformed("it does not name exactly one `Action`")),
    };
    let operation = operation(std::str::from_utf8(&action).unwrap_or_default())?;
    Ok(Asked {
        service,
        operation,
        dialect,
    })
}

/// Splits a form into its decoded names and values.
pub(super) fn fields(form: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    let pairs = form.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let mut next = || decoded(halves.next().unwrap_or_default());
        (next(), next())
    })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let hex = |b: &u8| char::from(*b).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return out,
            [b'%', high, low, rest @ ..] if hex(high).is_some() && hex(low).is_some() => {
                let byte = hex(high).unwrap_or_default() * 16 + hex(low).unwrap_or_default();
                out.push(u8::try_from(byte).unwrap_or_default());
                rest
            }
            [b'+', rest @ ..] => {
                out.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
}

/// SECURITY: the service of the signature decides where the request is sent, the target what is
/// asked there, so they must agree.
fn asked(
    service: &'static Service,
    shape: &str,
    name: &str,
    dialect: Dialect,
) -> Result<Asked, Refusal> {
    if !service.is_named(shape) {
        return Err(Refusal::UnknownService(crate::text::excerpt(shape)));
    }
    Ok(Asked {
        service,
        operation: operation(name)?,
        dialect,
    })
}

fn operation(name: &str) -> Result<String, Refusal> {
    let well_formed =
        (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    match well_formed {
        true => Ok(name.to_owned()),
        false => Err(Refusal::Malformed("its operation is not a name")),
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
