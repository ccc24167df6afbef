use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn every_usual_spelling_is_read() {
    for (id, secret, token) in [
        ("AccessKeyId", "SecretAccessKey", "SessionToken"),
        (
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ),
        ("accessKeyId", "secretAccessKey", "sessionToken"),
        ("access-key-id", "secret-access-key", "session-token"),
        ("access_key", "secret_key", "security_token"),
    ] {
        let document = serde_json::json!({
            "comment": {"nested": [1, "two"]},
            id: "ASIAIOSFODNN7EXAMPLE",
            secret: SECRET,
            token: "a/token+with=signs",
            "Expiration": "2026-01-31T12:00:00Z",
        });
        let read = StaticCredentials::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!(read.0.access_key_id.last_four(), "MPLE", "{id}");
        assert!(read.0.expires_at.is_some());
    }
    let document = format!(
        r#"{{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"{SECRET}","SessionToken":null}}"#
    );
    assert!(StaticCredentials::from_json(document.as_bytes()).is_ok());
    let escaped = SECRET.replace('/', "\\/");
    let document =
        format!(r#"{{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"{escaped}"}}"#);
    assert!(StaticCredentials::from_json(document.as_bytes()).is_ok());
}

#[test]
fn what_is_wrong_is_named_by_its_field_and_never_quoted() {
    let id = r#""AccessKeyId":"AKIAIOSFODNN7EXAMPLE""#;
    let secret = format!(r#""SecretAccessKey":"{SECRET}""#);
    for (document, named) in [
        (SECRET.to_owned(), "not a JSON object"),
        (format!("[{{{id},{secret}}}]"), "not a JSON object"),
        (format!("\"{SECRET}\""), "not a JSON object"),
        (format!("{{{id}}}"), "`SecretAccessKey` is missing"),
        (format!("{{{secret}}}"), "`AccessKeyId` is missing"),
        (
            format!(r#"{{{id},"SecretAccessKey":["{SECRET}"]}}"#),
            "`SecretAccessKey` is not a text",
        ),
        (
            format!(r#"{{{id},{secret},"SessionToken":5}}"#),
            "`SessionToken` is not a text",
        ),
        (
            format!(r#"{{{id},{secret},"aws_secret_access_key":"{SECRET}"}}"#),
            "`SecretAccessKey` is given twice",
        ),
        (
            format!(r#"{{{id},{secret},"Expiration":"{SECRET}"}}"#),
            "`Expiration` is not a time",
        ),
        (
            format!(r#"{{{id},"SecretAccessKey":"{SECRET} "}}"#),
            "`secret_access_key` cannot be right",
        ),
        (
            format!(r#"{{"AccessKeyId":"ASIAIOSFODNN7EXAMPLE",{secret}}}"#),
            "`session_token` is missing",
        ),
    ] {
        let error = StaticCredentials::from_json(document.as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(named), "{text}");
        assert!(
            !text.contains("wJalr") && !text.contains("IOSFODNN7"),
            "{text}"
        );
    }
}
