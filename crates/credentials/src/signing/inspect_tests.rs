use http::Request;
use proptest::prelude::*;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const ECS: &str = "AmazonEC2ContainerServiceV20141113";

struct Sent<'a> {
    method: &'a str,
    uri: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    signed_for: &'a str,
}

fn read(sent: &Sent<'_>) -> Result<(String, String, Dialect), Refusal> {
    let mut request = Request::builder().method(sent.method).uri(sent.uri);
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=a/b/c/{}/aws4_request",
        sent.signed_for
    );
    let request = request.header("authorization", authorization);
    let parts = request.body(()).unwrap().into_parts().0;
    let asked = inspect(&parts, sent.body.as_bytes(), sent.signed_for)?;
    Ok((
        asked.service.iam_prefix.to_owned(),
        asked.operation,
        asked.dialect,
    ))
}

fn json<'a>(headers: &'a [(&'a str, &'a str)], signed_for: &'a str) -> Sent<'a> {
    Sent {
        method: "POST",
        uri: "/",
        headers,
        body: "{}",
        signed_for,
    }
}

fn form<'a>(uri: &'a str, body: &'a str, signed_for: &'a str) -> Sent<'a> {
    Sent {
        method: "POST",
        uri,
        headers: &[("content-type", FORM)],
        body,
        signed_for,
    }
}

#[test]
fn each_protocol_names_its_operation_in_one_place() {
    let target = format!("{ECS}.DescribeServices");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let found = read(&json(&headers, "ecs")).unwrap();
    assert_eq!(
        found,
        (
            "ecs".to_owned(),
            "DescribeServices".to_owned(),
            Dialect::Json
        )
    );

    let found = read(&form("/", "Version=1&Action=DescribeSubnets", "ec2")).unwrap();
    assert_eq!(
        found,
        ("ec2".to_owned(), "DescribeSubnets".to_owned(), Dialect::Ec2)
    );

    let found = read(&form("/", "%41ction=ListRoles", "iam")).unwrap();
    assert_eq!(found.1, "ListRoles");

    let get = Sent {
        method: "GET",
        uri: "/?Action=DescribeStacks&Version=1",
        headers: &[],
        body: "",
        signed_for: "cloudformation",
    };
    let found = read(&get).unwrap();
    assert_eq!(found.1, "DescribeStacks");

    let rpc = Sent {
        method: "POST",
        uri: "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        headers: &[
            ("smithy-protocol", "rpc-v2-cbor"),
            ("content-type", "application/cbor"),
        ],
        body: "",
        signed_for: "monitoring",
    };
    let found = read(&rpc).unwrap();
    assert_eq!(
        found,
        (
            "cloudwatch".to_owned(),
            "ListMetrics".to_owned(),
            Dialect::Cbor
        )
    );
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    for (uri, body) in [
        ("/", "Action=DescribeStacks&Action=DeleteStack"),
        ("/", "Action=DeleteStack&%41ction=DescribeStacks"),
        ("/", "Action=DescribeStacks&action=DeleteStack"),
        ("/", "Action=DescribeStacks&+Action=DeleteStack"),
        ("/?Action=DeleteStack", "Action=DescribeStacks"),
        ("/", ""),
        ("/", "Version=1"),
        ("/", "action=DescribeStacks"),
        ("/", "Action="),
        ("/", "Action=Describe%20Stacks"),
        ("/", "Action=Describe%00Stacks"),
        ("/", "Action[]=DescribeStacks"),
        ("/", "x=1;Action=DeleteStack&Action=DescribeStacks"),
        ("/?x;y", "Action=DescribeStacks"),
    ] {
        let refused = read(&form(uri, body, "cloudformation"));
        assert!(
            matches!(refused, Err(Refusal::Malformed(_))),
            "{uri} {body}"
        );
    }
    let read_target = format!("{ECS}.ListTasks");
    let write_target = format!("{ECS}.DeleteService");
    let target = ("x-amz-target", read_target.as_str());
    let kind = ("content-type", "application/x-amz-json-1.1");
    for headers in [
        vec![target, ("x-amz-target", write_target.as_str()), kind],
        vec![target, kind, ("smithy-protocol", "rpc-v2-cbor")],
        vec![target, ("content-type", FORM)],
        vec![target],
        vec![target, kind, ("content-encoding", "gzip")],
    ] {
        assert!(read(&json(&headers, "ecs")).is_err(), "{headers:?}");
    }
    let headers = [target, kind];
    let in_url = Sent {
        uri: "/?Action=DeleteService",
        ..json(&headers, "ecs")
    };
    assert!(read(&in_url).is_err());
}

#[test]
fn the_signatures_service_and_the_target_must_agree() {
    for (target, signed_for) in [
        ("secretsmanager.GetSecretValue", "ecs"),
        ("Logs_20140328.FilterLogEvents", "ecs"),
        ("AmazonEC2ContainerServiceV20141113.ListTasks", "logs"),
        (
            "AmazonEC2ContainerServiceV20141113.ListTasks",
            "secretsmanager",
        ),
        ("x.AmazonEC2ContainerServiceV20141113.ListTasks", "ecs"),
    ] {
        let headers = [
            ("x-amz-target", target),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let refused = read(&json(&headers, signed_for));
        assert!(
            matches!(refused, Err(Refusal::UnknownService(_))),
            "{target} {refused:?}"
        );
    }
}

#[test]
fn rest_paths_are_named_and_refused() {
    for (method, uri, signed_for) in [
        ("PUT", "/bucket/key", "cloudformation"),
        ("GET", "/2015-03-31/functions", "ecs"),
        ("POST", "//", "ec2"),
        ("DELETE", "/service/x", "logs"),
    ] {
        let sent = Sent {
            method,
            uri,
            headers: &[],
            body: "",
            signed_for,
        };
        let refused = read(&sent);
        assert!(
            matches!(refused, Err(Refusal::NotAllowed { .. })),
            "{uri} {refused:?}"
        );
    }
    for uri in [
        "/service/GraniteServiceVersion20100801",
        "/operation/ListMetrics",
        "/",
    ] {
        let sent = Sent {
            method: "POST",
            uri,
            headers: &[("smithy-protocol", "rpc-v2-cbor")],
            body: "",
            signed_for: "monitoring",
        };
        assert!(read(&sent).is_err(), "{uri}");
    }
}

/// Names, values and separators that a hostile child may put together.
const NAMES: [&str; 12] = [
    "Action",
    "Action",
    "action",
    "ACTION",
    "%41ction",
    "A%63tion",
    "Action%00",
    "+Action",
    "Action%20",
    "Version",
    "Actions",
    "",
];
const VALUES: [&str; 7] = [
    "DescribeStacks",
    "DescribeStacks",
    "DeleteStack",
    "Delete%53tack",
    "%",
    "1",
    "",
];
const SEPARATORS: [&str; 6] = ["&", "&", "&", "&&", ";", "\r\n"];

/// Pairs, each with what follows it.
fn written() -> impl Strategy<Value = String> {
    let one = proptest::sample::select;
    let pair = (one(&NAMES[..]), one(&VALUES[..]), one(&SEPARATORS[..]));
    proptest::collection::vec(pair, 0..4).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        pairs
            .map(|(name, value, next)| format!("{name}={value}{next}"))
            .collect()
    })
}

/// Every name that some parser might take for the action's, with its value: names in any letter case,
/// trimmed, cut at what is not a letter; values decoded once or twice; forms split at `&` or `;`.
fn readings(form: &str) -> Vec<String> {
    form.split(['&', ';', '\r', '\n'])
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = String::from_utf8(decoded(name.as_bytes())).ok()?;
            let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
            let value = String::from_utf8(decoded(&decoded(value.as_bytes()))).ok()?;
            letters.eq_ignore_ascii_case("action").then_some(value)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_form_that_is_understood_has_no_second_reading(query in written(), body in written()) {
        let uri = format!("/?{query}");
        let usable = uri.parse::<http::Uri>().is_ok();
        if usable && let Ok((_, operation, _)) = read(&form(&uri, &body, "cloudformation")) {
            let readings = [readings(&query), readings(&body)].concat();
            prop_assert_eq!(readings, vec![operation], "{} {}", uri, body);
        }
    }

    #[test]
    fn nothing_that_arrives_can_upset_the_parser(
        target in "[ -~]{0,60}", path in "/[!-~]{0,60}", body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let request = Request::post(path.as_str()).header("x-amz-target", target.as_str());
        if let Ok(request) = request.body(()) {
            let parts = request.into_parts().0;
            let _ = inspect(&parts, &body, "ecs");
            let _ = inspect(&parts, &body, "monitoring");
            let _ = dialect_of(&parts);
        }
    }
}
