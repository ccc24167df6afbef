use serde_json::json;

use super::*;

fn read(message: &str, schema: Value) -> Result<Choice, NotAsked> {
    let asked = json!({"message": message, "requestedSchema": schema});
    Choice::of("tickets", &serde_json::from_value(asked).unwrap())
}

fn object(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

#[test]
fn a_choice_is_read_and_answered_as_it_was_asked() {
    let choice = read(
        "Which queue?\u{202e}",
        object(json!({"queue": {"type": "string", "enum": ["a", "b"], "enumNames": ["First", "Second"]}})),
    )
    .unwrap();
    assert_eq!(choice.message, "Which queue?\\u{202e}");
    let labels: Vec<&str> = choice.options.iter().map(|o| o.label.as_str()).collect();
    assert_eq!(labels, ["First", "Second"]);
    assert_eq!(choice.content(1), Some(json!({"queue": "b"})));
    assert_eq!(choice.content(2), None);
    let yes = read("Go on?", object(json!({"sure": {"type": "boolean"}}))).unwrap();
    assert_eq!(yes.content(0), Some(json!({"sure": true})));
    let confirm = read("Go on?", object(json!({}))).unwrap();
    assert_eq!(
        (confirm.options.len(), confirm.content(0)),
        (1, Some(json!({})))
    );
    let again: Choice = serde_json::from_value(json!(confirm)).unwrap();
    assert_eq!(again, confirm);
}

#[test]
fn nothing_can_be_typed_and_no_secret_is_asked_for() {
    for (message, properties, why) in [
        (
            "Your name?",
            json!({"name": {"type": "string"}}),
            NotAsked::NotAChoice,
        ),
        (
            "How many?",
            json!({"n": {"type": "integer"}}),
            NotAsked::NotAChoice,
        ),
        (
            "Two things",
            json!({"a": {"type": "boolean"}, "b": {"type": "boolean"}}),
            NotAsked::NotAChoice,
        ),
        (
            "Paste your AWS access key",
            json!({"k": {"type": "string"}}),
            NotAsked::Secret,
        ),
        (
            "Which one is it?",
            json!({"Password": {"type": "string", "enum": ["a"]}}),
            NotAsked::Secret,
        ),
        (
            "Is this your TOKEN?",
            json!({"yes": {"type": "boolean"}}),
            NotAsked::Secret,
        ),
    ] {
        assert_eq!(read(message, object(properties)), Err(why), "{message}");
    }
    let url = json!({"mode": "url", "message": "Log in", "url": "https://example.com", "elicitationId": "1"});
    let asked = Choice::of("tickets", &serde_json::from_value(url).unwrap());
    assert_eq!(asked, Err(NotAsked::Page));
}
