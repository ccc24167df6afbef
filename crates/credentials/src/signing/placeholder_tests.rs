use http::Request;

use super::*;

type Mutation = fn(&mut Parts);

const BODY: &[u8] = br#"{"cluster":"shop"}"#;

fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A request as botocore would send it, signed with `keys`.
fn signed(keys: &PlaceholderKeys, at: DateTime<Utc>) -> Parts {
    let mut request = Request::post("/")
        .header("host", "127.0.0.1:4567")
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "x-amz-target",
            "AmazonEC2ContainerServiceV20141113.ListTasks",
        )
        .header("user-agent", "Boto3/1 md/x")
        .body(())
        .unwrap();
    let identity = Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        None,
        None,
        "test",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("ecs")
        .time(at.into())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Bytes(BODY);
    let signable = SignableRequest::new("POST", "http://127.0.0.1:4567/", headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request.into_parts().0
}

#[test]
fn a_request_signed_with_the_placeholder_is_known() {
    let keys = PlaceholderKeys::random().unwrap();
    let scope = keys.verify(&signed(&keys, now()), BODY, &[now()]).unwrap();
    assert_eq!(
        (scope.region.as_str(), scope.service.as_str()),
        ("eu-west-1", "ecs")
    );
    // A client that follows the virtual time of a stand-in.
    let then = now() - TimeDelta::days(300);
    keys.verify(&signed(&keys, then), BODY, &[now(), then])
        .unwrap();
}

#[test]
fn any_change_to_what_is_signed_is_seen() {
    let keys = PlaceholderKeys::random().unwrap();
    let mutations: [(&str, Mutation); 9] = [
        ("target", |r| {
            set(
                r,
                "x-amz-target",
                "AmazonEC2ContainerServiceV20141113.RunTask",
            )
        }),
        ("host", |r| set(r, "host", "127.0.0.1:1")),
        ("path", |r| r.uri = "/other".parse().unwrap()),
        ("query", |r| r.uri = "/?Action=x".parse().unwrap()),
        ("method", |r| r.method = http::Method::PUT),
        ("date", |r| {
            let later = (now() + TimeDelta::seconds(7))
                .format("%Y%m%dT%H%M%SZ")
                .to_string();
            set(r, "x-amz-date", &later);
        }),
        ("token", |r| {
            set(r, "x-amz-security-token", "of somebody else")
        }),
        ("hash", |r| {
            set(r, "x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        }),
        ("second authorization", |r| {
            let again = r.headers["authorization"].clone();
            r.headers.append("authorization", again);
        }),
    ];
    for (what, change) in mutations {
        let mut request = signed(&keys, now());
        change(&mut request);
        let refused = keys.verify(&request, BODY, &[now()]);
        assert!(matches!(refused, Err(Refusal::Signature(_))), "{what}");
    }
    let request = signed(&keys, now());
    assert!(keys.verify(&request, b"{}", &[now()]).is_err(), "body");
}

fn set(request: &mut Parts, name: &'static str, value: &str) {
    request.headers.insert(name, value.parse().unwrap());
}

#[test]
fn other_keys_old_dates_and_half_a_header_are_refused() {
    let keys = PlaceholderKeys::random().unwrap();
    let others = PlaceholderKeys::random().unwrap();
    assert_ne!(keys.access_key_id(), others.access_key_id());
    let refused = |request: &Parts| keys.verify(request, BODY, &[now()]).is_err();
    assert!(refused(&signed(&others, now())));
    let same_id = PlaceholderKeys {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: others.secret_access_key.clone(),
    };
    assert!(refused(&signed(&same_id, now())));
    assert!(refused(&signed(&keys, now() - TimeDelta::minutes(6))));
    assert!(refused(&signed(&keys, now() + TimeDelta::minutes(6))));
    let whole = signed(&keys, now());
    assert!(!refused(&whole));
    for header in [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request",
        "AWS4-HMAC-SHA256 Credential=a/b/c/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0",
        "Bearer abc",
    ] {
        let mut request = signed(&keys, now());
        set(&mut request, "authorization", header);
        assert!(refused(&request), "{header}");
    }
    // The operation has to be covered.
    let mut request = signed(&keys, now());
    let authorization = request.headers["authorization"].to_str().unwrap();
    let narrowed = authorization.replace(";x-amz-target", "");
    set(&mut request, "authorization", &narrowed);
    assert_eq!(
        keys.verify(&request, BODY, &[now()]),
        Err(Refusal::Signature("it does not cover what it must"))
    );
}

#[test]
fn placeholder_keys_do_not_print() {
    let keys = PlaceholderKeys::random().unwrap();
    assert!(!format!("{keys:?}").contains(keys.secret_access_key()));
    assert_eq!(keys.secret_access_key().len(), 40);
}
