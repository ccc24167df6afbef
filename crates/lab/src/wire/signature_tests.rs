use http::{HeaderMap, HeaderValue, Method, Uri};

use super::*;

/// The worked example of the AWS signing documentation: `iam:ListUsers` with the documented keys.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn example() -> (Method, Uri, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
    );
    headers.insert("host", HeaderValue::from_static("iam.amazonaws.com"));
    headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
    headers.insert(
        "authorization",
        HeaderValue::from_static(
            "AWS4-HMAC-SHA256 \
             Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    );
    let uri = Uri::from_static("https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers");
    (Method::GET, uri, headers)
}

fn now() -> DateTime<Utc> {
    "2015-08-30T12:38:00Z".parse().unwrap()
}

fn verify(
    secret: &str,
    now: DateTime<Utc>,
    change: impl Fn(&mut HeaderMap, &mut Vec<u8>),
) -> Result<(), SignatureProblem> {
    let (method, uri, mut headers) = example();
    let mut body = Vec::new();
    change(&mut headers, &mut body);
    let authorization = Authorization::parse(&headers)?.expect("a header");
    SignedRequest {
        method: &method,
        uri: &uri,
        headers: &headers,
        body: &body,
    }
    .verify(&authorization, secret, [now, now])
}

#[test]
fn the_documented_example_verifies() {
    assert_eq!(verify(SECRET, now(), |_, _| {}), Ok(()));
}

#[test]
fn what_was_not_signed_is_refused() {
    assert_eq!(
        verify("another", now(), |_, _| {}),
        Err(SignatureProblem::Mismatch)
    );
    assert_eq!(
        verify(SECRET, now(), |_, body| body.push(b'x')),
        Err(SignatureProblem::Mismatch),
    );
    assert_eq!(
        verify(SECRET, now(), |headers, _| {
            headers.insert("host", HeaderValue::from_static("elsewhere"));
        }),
        Err(SignatureProblem::Mismatch),
    );
    assert_eq!(
        verify(SECRET, now(), |headers, _| {
            headers.insert("x-amz-security-token", HeaderValue::from_static("added"));
        }),
        Err(SignatureProblem::Incomplete("SignedHeaders")),
    );
}

#[test]
fn an_old_signature_is_refused() {
    let late = now() + TimeDelta::minutes(6);
    assert!(matches!(
        verify(SECRET, late, |_, _| {}),
        Err(SignatureProblem::Skewed { .. })
    ));
}

#[test]
fn query_strings_are_sorted_and_encoded_once() {
    assert_eq!(canonical_query("b=2&a=%2f&a=1&c"), "a=%2F&a=1&b=2&c=");
    assert_eq!(canonical_path("/service/x y%20"), "/service/x%20y%2520");
}
