//! What a request is about, as it says itself.
//!
//! SECURITY: only fields that name a thing are looked at. Definitions, environment values, policies
//! and tokens are skipped by the parser and kept nowhere.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde::Deserialize;

/// Longest name that is kept.
const LONGEST_BYTES: usize = 256;

/// Fields of the JSON protocols that name what a request is about, most telling first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(rename = "task")]
    task: Option<String>,
    #[serde(rename = "tasks")]
    tasks: Vec<String>,
    #[serde(rename = "taskDefinition")]
    task_definition: Option<String>,
    #[serde(rename = "containerInstances")]
    container_instances: Vec<String>,
    #[serde(rename = "service", alias = "serviceName")]
    service: Option<String>,
    #[serde(rename = "services")]
    services: Vec<String>,
    #[serde(rename = "family", alias = "familyPrefix")]
    family: Option<String>,
    #[serde(
        rename = "logGroupName",
        alias = "logGroupNamePrefix",
        alias = "logGroupIdentifier"
    )]
    log_group: Option<String>,
    #[serde(rename = "repositoryName")]
    repository: Option<String>,
    #[serde(rename = "ResourceId")]
    resource_id: Option<String>,
    #[serde(rename = "ResourceIds")]
    resource_ids: Vec<String>,
    #[serde(rename = "cluster")]
    cluster: Option<String>,
}

/// Fields of the Query protocols, most telling first.
const FORM_FIELDS: [&str; 16] = [
    "RoleArn",
    "PolicySourceArn",
    "RoleName",
    "TargetGroupArn",
    "TargetGroupArns.member.1",
    "ListenerArn",
    "ListenerArns.member.1",
    "LoadBalancerArn",
    "LoadBalancerArns.member.1",
    "GroupId",
    "GroupId.1",
    "SubnetId.1",
    "StackName",
    "PhysicalResourceId",
    "Filter.1.Value.1",
    "ResourceArn",
];

/// The first thing a request names, if it names one.
pub(crate) fn named_by(request: &HttpRequest) -> Option<String> {
    let body = request.body().bytes()?;
    let name = match body.first() {
        Some(b'{') => in_json(body),
        Some(_) => in_form(body),
        None => None,
    }?;
    let printable = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (printable && !name.is_empty() && name.len() <= LONGEST_BYTES).then_some(name)
}

fn in_json(body: &[u8]) -> Option<String> {
    let named: Named = serde_json::from_slice(body).ok()?;
    let first = |list: Vec<String>| list.into_iter().next();
    named
        .task
        .or_else(|| first(named.tasks))
        .or_else(|| first(named.container_instances))
        .or(named.task_definition)
        .or(named.service)
        .or_else(|| first(named.services))
        .or(named.family)
        .or(named.log_group)
        .or(named.repository)
        .or(named.resource_id)
        .or_else(|| first(named.resource_ids))
        .or(named.cluster)
}

fn in_form(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let value = |wanted: &str| {
        text.split('&')
            .filter_map(|field| field.split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value)
    };
    FORM_FIELDS.into_iter().find_map(value).and_then(decoded)
}

/// Undoes form encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn named(body: &str) -> Option<String> {
        named_by(&HttpRequest::new(SdkBody::from(body)))
    }

    #[test]
    fn the_most_telling_name_is_taken() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(named(body).as_deref(), expected, "{body}");
        };
        check(r#"{"cluster":"prod","services":["api"]}"#, Some("api"));
        check(r#"{"cluster":"prod"}"#, Some("prod"));
        check(r#"{"cluster":"prod","tasks":["t1","t2"]}"#, Some("t1"));
        check(r#"{"logGroupName":"/ecs/api"}"#, Some("/ecs/api"));
        check(
            "Action=DescribeSubnets&SubnetId.1=subnet-1",
            Some("subnet-1"),
        );
        check(
            "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa",
            Some("arn:aws:iam::1:role/a"),
        );
        check("Action=GetCallerIdentity", None);
        check("{", None);
        check("", None);
        check(r#"{"cluster":"a\u0000b"}"#, None);
    }

    #[test]
    fn values_are_never_taken() {
        let body = r#"{"family":"api","containerDefinitions":[{"environment":[{"name":"A","value":"hidden"}]}],
            "service":null}"#;
        assert_eq!(named(body).as_deref(), Some("api"));
        assert_eq!(
            named("Action=AssumeRole&Policy=hidden&Tags.member.1.Value=hidden"),
            None
        );
    }
}
