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
        is_transient(&answer(
            status,
            format!("<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"),
        ))
    };
    assert!(transient(503, "RequestLimitExceeded"));
    assert!(transient(400, "Throttling"));
    assert!(transient(500, "InternalError"));
    assert!(!transient(400, "InvalidParameterValue"));
    assert!(!transient(403, "UnauthorizedOperation"));
    assert!(!transient(200, "Throttling"));
    assert!(is_transient(&answer(
        400,
        r#"{"__type":"com.amazonaws.x#ThrottlingException"}"#.to_owned()
    )));
    assert!(!is_transient(&answer(
        400,
        r#"{"__type":"ResourceNotFoundException"}"#.to_owned()
    )));
}

#[test]
fn the_code_of_a_json_error_is_found_wherever_services_put_it() {
    let code = |header: Option<&str>, body: &str| {
        let mut answer = answer(400, body.to_owned());
        answer.error_type = header.map(str::to_owned);
        answer.json_error_code()
    };
    let expected = Some("AccessDeniedException".to_owned());
    assert_eq!(
        code(None, r#"{"__type":"AccessDeniedException"}"#),
        expected
    );
    assert_eq!(
        code(None, r#"{"__type":"a.b#AccessDeniedException"}"#),
        expected
    );
    assert_eq!(
        code(Some("AccessDeniedException:http://x/"), "{}"),
        expected
    );
    assert_eq!(code(None, "not JSON"), None);
}

fn answer(status: u16, body: String) -> RawAnswer {
    RawAnswer {
        status,
        body: Zeroizing::new(body.into_bytes()),
        request_id: None,
        date: None,
        error_type: None,
    }
}
