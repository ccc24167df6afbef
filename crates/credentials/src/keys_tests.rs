use super::*;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn check(id: &str, secret: &str, token: Option<&str>, expected: Option<&str>) {
    let secret = SecretText::from(secret.to_owned());
    let token = token.map(|token| SecretText::from(token.to_owned()));
    let outcome = StaticCredentials::new(id, secret, token, None);
    let message = outcome.as_ref().err().map(ToString::to_string);
    match (expected, &message) {
        (None, None) => {}
        (Some(part), Some(message)) => assert!(message.contains(part), "{message}"),
        (expected, message) => panic!("{id}: expected {expected:?}, got {message:?}"),
    }
    let shown = format!("{outcome:?} {message:?}");
    assert!(
        !shown.contains("wJalr") && !shown.contains("AKIAIOSF"),
        "{shown}"
    );
}

#[test]
fn each_field_that_cannot_be_right_is_named_with_what_to_do() {
    check(ID, SECRET, None, None);
    check("testing", "testing", Some("testing"), None);
    check("ASIAIOSFODNN7EXAMPLE", SECRET, Some("token"), None);
    check(
        "",
        SECRET,
        None,
        Some("`access_key_id` is not an access key id"),
    );
    check(
        " AKIAIOSFODNN7EXAMPLE\n",
        SECRET,
        None,
        Some("remove the spaces"),
    );
    check(SECRET, ID, None, Some("`access_key_id` is not"));
    check("testing", ID, None, Some("swap the two fields"));
    check(
        ID,
        "",
        None,
        Some("`secret_access_key` cannot be right, it is empty"),
    );
    check(
        ID,
        "wJalr XUtn",
        None,
        Some("`secret_access_key` cannot be right, it contains white"),
    );
    check(
        ID,
        SECRET,
        Some(""),
        Some("`session_token` cannot be right, it is empty"),
    );
    check(
        "ASIAIOSFODNN7EXAMPLE",
        SECRET,
        None,
        Some("`session_token` is missing"),
    );
}

#[test]
fn the_sdk_gets_what_was_given_and_no_expiry_of_its_own() {
    let end = DateTime::from_timestamp(1_900_000_000, 0);
    let keys = Keys::from_issuer(ID, SECRET, Some("token"), end).unwrap();
    let signing = keys.duplicate().for_signing();
    assert_eq!(signing.access_key_id(), ID);
    assert_eq!(signing.secret_access_key(), SECRET);
    assert_eq!(signing.session_token(), Some("token"));
    assert_eq!(signing.expiry(), None);
}
