//! Which service and operation a request means, and how its answer is written.

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::xml::{self, ListStyle};
use super::{ApiError, Input, cbor};

/// The protocols of the services that the lab plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json10,
    Json11,
    Query,
    Ec2,
    Cbor,
}

/// JSON services by the prefix of `X-Amz-Target`.
const TARGETS: &[(&str, &str)] = &[
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("Logs_20140328", "logs"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    ("AnyScaleFrontendService", "application-autoscaling"),
    ("secretsmanager", "secretsmanager"),
    ("AmazonSSM", "ssm"),
    (
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
        "cloudtrail",
    ),
    ("CloudTrail_20131101", "cloudtrail"),
    ("GraniteServiceVersion20100801", "cloudwatch"),
    ("GetResources", "tagging"),
    ("ResourceGroupsTaggingAPI_20170126", "tagging"),
    ("Route53AutoNaming_v20170314", "servicediscovery"),
    ("TrentService", "kms"),
];

/// Query services by the service name in the credential scope, with their XML namespaces.
const QUERY: &[(&str, &str)] = &[
    ("sts", "https://sts.amazonaws.com/doc/2011-06-15/"),
    ("iam", "https://iam.amazonaws.com/doc/2010-05-08/"),
    (
        "elasticloadbalancing",
        "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    ),
    (
        "cloudformation",
        "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    ),
    (
        "cloudwatch",
        "http://monitoring.amazonaws.com/doc/2010-08-01/",
    ),
];
const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// A request whose meaning is known.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) protocol: Protocol,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) input: Input,
}

impl Route {
    /// Reads protocol, service and operation. `scope` is the service named in the signature.
    pub(crate) fn read(
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
        scope: &str,
    ) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scope = if scope == "monitoring" {
            "cloudwatch"
        } else {
            scope
        };
        if header("smithy-protocol") == Some("rpc-v2-cbor") {
            let mut parts = path.trim_start_matches('/').split('/').skip(1);
            let target = parts.next().unwrap_or_default();
            let operation = parts.nth(1).unwrap_or_default().to_owned();
            let input = Input::from_value(cbor::decode(body).unwrap_or_default());
            let service = service_of(target).unwrap_or(scope).to_owned();
            return Self {
                protocol: Protocol::Cbor,
                service,
                operation,
                input,
            };
        }
        if let Some(target) = header("x-amz-target") {
            let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
            let json10 = header("content-type").is_some_and(|kind| kind.ends_with("json-1.0"));
            return Self {
                protocol: if json10 {
                    Protocol::Json10
                } else {
                    Protocol::Json11
                },
                service: service_of(prefix).unwrap_or(scope).to_owned(),
                operation: operation.to_owned(),
                input: Input::from_value(serde_json::from_slice(body).unwrap_or_default()),
            };
        }
        let body = String::from_utf8_lossy(body);
        let input = Input::from_form(if body.is_empty() { query } else { &body });
        Self {
            protocol: if scope == "ec2" {
                Protocol::Ec2
            } else {
                Protocol::Query
            },
            service: if scope.is_empty() { "sts" } else { scope }.to_owned(),
            operation: input.text("Action").unwrap_or_default().to_owned(),
            input,
        }
    }
}

fn service_of(target: &str) -> Option<&'static str> {
    TARGETS
        .iter()
        .find(|(prefix, _)| *prefix == target)
        .map(|(_, service)| *service)
}

/// The prefix of `X-Amz-Target` of a service that speaks JSON.
#[cfg(test)]
pub(crate) fn target_of(service: &str) -> Option<&'static str> {
    TARGETS
        .iter()
        .find(|(_, known)| *known == service)
        .map(|(prefix, _)| *prefix)
}

/// Status, headers and body of an answer, before it becomes an HTTP response.
pub(crate) type Rendered = (StatusCode, HeaderMap, Vec<u8>);

/// Writes a successful answer.
pub(crate) fn render_output(route: &Route, output: &Value, request_id: &str) -> Rendered {
    let body = match route.protocol {
        Protocol::Json10 | Protocol::Json11 => output.to_string().into_bytes(),
        Protocol::Cbor => cbor::encode(output),
        Protocol::Query => {
            let operation = &route.operation;
            let namespace = QUERY.iter().find(|(service, _)| *service == route.service);
            let namespace = namespace
                .map(|(_, namespace)| *namespace)
                .unwrap_or_default();
            let mut out = format!("<{operation}Response xmlns=\"{namespace}\">");
            if output
                .as_object()
                .is_some_and(|members| !members.is_empty())
            {
                let name = format!("{operation}Result");
                xml::element(&mut out, &name, output, ListStyle::Member);
            } else {
                out.push_str(&format!("<{operation}Result/>"));
            }
            let metadata = json!({"RequestId": request_id});
            xml::element(&mut out, "ResponseMetadata", &metadata, ListStyle::Member);
            out.push_str(&format!("</{operation}Response>"));
            out.into_bytes()
        }
        Protocol::Ec2 => {
            let operation = &route.operation;
            let mut out = format!("<{operation}Response xmlns=\"{EC2_NAMESPACE}\">");
            let request_id = Value::String(request_id.to_owned());
            xml::element(&mut out, "requestId", &request_id, ListStyle::Item);
            xml::content(&mut out, output, ListStyle::Item);
            out.push_str(&format!("</{operation}Response>"));
            out.into_bytes()
        }
    };
    (StatusCode::OK, headers(route.protocol, request_id), body)
}

/// Writes an error.
pub(crate) fn render_error(route: &Route, error: &ApiError, request_id: &str) -> Rendered {
    let (code, message, status) = error.render(route.protocol);
    let mut headers = headers(route.protocol, request_id);
    let body = match route.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => {
            if let Ok(code) = HeaderValue::from_str(&code) {
                headers.insert("x-amzn-errortype", code);
            }
            // Services disagree on the letter case of `message`; SDKs read either.
            let body = object([("__type", code), ("message", message)]);
            match route.protocol {
                Protocol::Cbor => cbor::encode(&body),
                Protocol::Json10 | Protocol::Json11 | Protocol::Query | Protocol::Ec2 => {
                    body.to_string().into_bytes()
                }
            }
        }
        Protocol::Query => {
            let side = if status.is_server_error() {
                "Receiver"
            } else {
                "Sender"
            };
            let namespace = QUERY.iter().find(|(service, _)| *service == route.service);
            let namespace = namespace
                .map(|(_, namespace)| *namespace)
                .unwrap_or_default();
            let mut out = format!("<ErrorResponse xmlns=\"{namespace}\">");
            let error = json!({"Type": side, "Code": code, "Message": message});
            xml::element(&mut out, "Error", &error, ListStyle::Member);
            let request_id = Value::String(request_id.to_owned());
            xml::element(&mut out, "RequestId", &request_id, ListStyle::Member);
            out.push_str("</ErrorResponse>");
            out.into_bytes()
        }
        Protocol::Ec2 => {
            let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
            let body = json!({
                "Errors": {"Error": {"Code": code, "Message": message}},
                "RequestID": request_id,
            });
            xml::element(&mut out, "Response", &body, ListStyle::Item);
            out.into_bytes()
        }
    };
    (status, headers, body)
}

fn object<const N: usize>(members: [(&str, String); N]) -> Value {
    let members = members
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::String(text)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn headers(protocol: Protocol, request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let content_type = match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::Cbor => "application/cbor",
    };
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(content_type),
    );
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    headers
}
