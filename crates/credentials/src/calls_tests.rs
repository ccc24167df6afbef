use super::*;

#[test]
fn a_scope_is_read_and_a_malformed_one_is_not() {
    let header = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-1/ecs/\
                  aws4_request, SignedHeaders=host, Signature=0";
    assert_eq!(
        credential_scope(header),
        Some(["AKIAIOSFODNN7EXAMPLE", "eu-west-1", "ecs"])
    );
    for malformed in ["", "Bearer abc", "Credential=", "Credential=a/b"] {
        assert_eq!(credential_scope(malformed), None, "{malformed}");
    }
}

#[test]
fn the_action_of_a_form_is_found_wherever_it_stands() {
    assert_eq!(
        query_action(b"Action=DescribeSubnets&Version=1"),
        Some("DescribeSubnets")
    );
    assert_eq!(
        query_action(b"Version=1&Action=ListRoles"),
        Some("ListRoles")
    );
    for other in [&b"{}"[..], b"", b"Action=a%20b", b"XAction=No"] {
        assert_eq!(query_action(other), None);
    }
}

#[test]
fn http_dates_are_read() {
    let date = aws_date("Mon, 23 Nov 2026 22:00:00 GMT").unwrap();
    assert_eq!(date.to_rfc3339(), "2026-11-23T22:00:00+00:00");
    assert_eq!(aws_date("yesterday"), None);
}
