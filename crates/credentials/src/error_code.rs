//! AWS's error code of a response, read without losing its body.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde::Deserialize;

/// Longest code that is kept.
const LONGEST_BYTES: usize = 128;
/// A longer error is not looked into; AWS's are a few hundred bytes.
const LONGEST_BODY_BYTES: u64 = 256 * 1024;

/// Reads the error code of a response that is one, and gives the response back whole.
///
/// # Errors
/// If the connection breaks while the body is read.
pub(crate) async fn read(
    mut response: HttpResponse,
) -> Result<(HttpResponse, Option<String>), ConnectorError> {
    if response.status().is_success() {
        return Ok((response, None));
    }
    if let Some(code) = response.headers().get("x-amzn-errortype").and_then(word) {
        return Ok((response, Some(code)));
    }
    let length = response
        .headers()
        .get("content-length")
        .and_then(|length| length.parse::<u64>().ok());
    if length.is_none_or(|length| length > LONGEST_BODY_BYTES) {
        return Ok((response, None));
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::empty());
    let read = ByteStream::new(body).collect().await;
    let bytes = read
        .map_err(|error| ConnectorError::io(error.into()))?
        .into_bytes();
    let code = std::str::from_utf8(&bytes).ok().and_then(in_body);
    *response.body_mut() = SdkBody::from(bytes);
    Ok((response, code))
}

/// The code of an error body: JSON with `__type` or `code`, or XML with `<Code>`.
fn in_body(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Coded {
        #[serde(rename = "__type", alias = "code", alias = "Code")]
        code: String,
    }
    if body.trim_start().starts_with('{') {
        let coded: Coded = serde_json::from_str(body).ok()?;
        return word(&coded.code);
    }
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    word(code)
}

/// `com.amazonaws.ecs#ServiceNotFoundException:http://…` without what is around the code.
fn word(text: &str) -> Option<String> {
    let text = text.rsplit('#').next()?.split(':').next()?.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_code = !text.is_empty() && text.len() <= LONGEST_BYTES && text.bytes().all(fits);
    is_code.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocols_code_is_found() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(in_body(body).as_deref(), expected, "{body}");
        };
        check(
            r#"{"__type":"a.b#ClientException","message":"m"}"#,
            Some("ClientException"),
        );
        check(r#"{"code":"Throttling:http://x"}"#, Some("Throttling"));
        check(
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>",
            Some("AccessDenied"),
        );
        check(
            "<Response><Errors><Error><Code>InvalidGroup.NotFound</Code></Error></Errors></Response>",
            Some("InvalidGroup.NotFound"),
        );
        check("<html>", None);
        check("", None);
        check(r#"{"__type":"a secret: with spaces"}"#, None);
    }
}
