use serde_json::json;

use super::*;

fn tools(listed: Value) -> Offer {
    Offer::of(serde_json::from_value(listed).unwrap())
}

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

#[test]
fn a_definition_keeps_everything_that_could_lead_somebody() {
    let whole = json!({
        "name": "logs", "title": "Logs", "description": "Reads logs.",
        "inputSchema": {"type": "object", "properties": {"group": {"type": "string"}}},
        "outputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": true},
        "icons": [{"src": "https://example.com/x.png"}],
        "_meta": {"anything": 1},
    });
    let offer = tools(json!([whole]));
    let kept = json!(offer.tools.values().next().unwrap());
    let mut expected = whole;
    expected.as_object_mut().unwrap().shift_remove("_meta");
    assert_eq!(Digest::of(&kept), Digest::of(&expected));
    let again: ToolDefinition = serde_json::from_value(kept).unwrap();
    assert_eq!(offer.tools.values().next(), Some(&again));
}

#[test]
fn names_that_could_be_taken_for_each_other_are_no_tools() {
    for alike in [
        ["a_b", "a_b"],
        ["a_b", "A_B"],
        ["a_b", "a-b"],
        ["logs", "1ogs"],
    ] {
        let offer = tools(json!([tool(alike[0]), tool(alike[1]), tool("other")]));
        let left: Vec<&str> = offer.tools.keys().map(ToolName::as_str).collect();
        assert_eq!(left, ["other"], "{alike:?}");
        assert!(!offer.unusable.is_empty());
    }
}

#[test]
fn a_name_outside_ascii_is_no_tool_and_takes_none_away() {
    let offer = tools(json!([tool("fetch"), tool("fеtch"), tool("fetch\u{200b}")]));
    assert_eq!(offer.tools.len(), 1);
    let names: Vec<&str> = offer.unusable.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(names, ["f\\u{435}tch", "fetch\\u{200b}"]);
}

#[test]
fn a_definition_has_a_longest_form() {
    let mut long = tool("long");
    long["description"] = json!("x".repeat(LONGEST));
    let offer = tools(json!([long, tool("short")]));
    assert_eq!((offer.tools.len(), offer.unusable.len()), (1, 1));
}
