use super::*;

#[test]
fn forms_are_percent_encoded() {
    let body = form_body(&[("Action", "A"), ("n.1", "a b+c/é%"), ("e", "")]);
    assert_eq!(body, "Action=A&n.1=a%20b%2Bc%2F%C3%A9%25&e=");
}

#[test]
fn pauses_grow_and_stay_in_bounds() {
    for attempt in 0..64 {
        assert!(backoff(attempt) <= MAX_BACKOFF);
    }
    assert!((0..100).all(|_| backoff(1) <= INITIAL_BACKOFF * 2));
}

#[test]
fn only_throttling_and_server_errors_are_tried_again() {
    let transient = |status: u16, code: &str| {
        is_transient(&SignedResponse {
            status,
            body: format!(
                "<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"
            ),
            request_id: None,
            date: None,
        })
    };
    assert!(transient(503, "RequestLimitExceeded"));
    assert!(transient(400, "Throttling"));
    assert!(transient(500, "InternalError"));
    assert!(!transient(400, "InvalidParameterValue"));
    assert!(!transient(403, "UnauthorizedOperation"));
    assert!(!transient(200, "Throttling"));
}
