use std::collections::BTreeSet;

use super::*;

const GOOD: &str = r#"name: x
title: t
request: r
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - name: prod
      services:
      - {name: api, template: fargate-web}
      - {name: billing, template: fargate-web}
events:
- {minutes_ago: 15, change: {deploy: {service: prod/api, image_tag: "2.0.0"}}}
truth:
  target: {cluster: prod, service: api}
  causes: [image-tag-not-found]
  repairable: true
symptoms:
- {field: stop-code, contains: TaskFailedToStart}
"#;

fn review(text: &str) -> Review {
    let modes = BTreeSet::from(["image-tag-not-found", "oom-kill-137"]);
    Scenario::review("x.yaml", text, Some(&modes))
}

fn told(text: &str) -> String {
    let review = review(text);
    let lines: Vec<String> = review
        .mistakes
        .iter()
        .map(|m| format!("{}:{} {}: {}", m.line, m.column, m.field, m.problem))
        .collect();
    let rest = review
        .not_checked
        .map(|rest| format!("\nnot checked: {rest}"));
    format!("{}{}", lines.join("\n"), rest.unwrap_or_default())
}

#[test]
fn a_scenario_in_order_has_no_mistake() {
    assert_eq!(told(GOOD), "");
}

#[test]
fn every_built_in_scenario_is_in_order() {
    for name in Scenario::names() {
        let path = format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let review = Scenario::review(&path, &text, None);
        assert_eq!(review.mistakes, [], "{name}");
        assert_eq!(review.not_checked, None, "{name}");
    }
}

#[test]
fn every_mistake_of_form_is_told_at_once_where_it_stands() {
    let text = GOOD
        .replace("title: t", "titel: t")
        .replace("\"111122223333\"", "111122223333")
        .replace(
            "billing, template: fargate-web",
            "billing, template: fargate-wbe, cpu: lots",
        )
        .replace("minutes_ago: 15", "minutes_ago: -1")
        .replace("image_tag: \"2.0.0\"", "image_tg: \"2.0.0\"")
        .replace("stop-code", "stopcode")
        .replace("repairable: true", "repairable: maybe");
    insta::assert_snapshot!(told(&text));
}

#[test]
fn every_part_that_does_not_fit_the_others_is_told_at_once() {
    let text = GOOD
        .replace("name: x", "name: z")
        .replace(
            "billing, template: fargate-web",
            "api, template: fargate-web, memory: 600",
        )
        .replace("minutes_ago: 15", "minutes_ago: 90")
        .replace("service: prod/api", "service: prod/apo")
        .replace("image-tag-not-found", "image-tag-missing")
        .replace("service: api}", "service: billing}");
    insta::assert_snapshot!(told(&text));
}

#[test]
fn a_change_that_is_not_one_is_told_with_those_that_are() {
    for (change, expected) in [
        ("{deplyo: {service: prod/api}}", "did you mean `deploy`?"),
        ("force-new-deployment", "needs its fields"),
        ("{restore-default-route: {}}", "write the name alone"),
        (
            "{stop-task: {service: prod/api}, delete-default-route: {}}",
            "exactly one",
        ),
        ("7", "one of"),
        ("{delete-secret: {secret: nowhere}}", "nowhere"),
        (
            "{set-desired-count: {service: prod/api, count: 1.5}}",
            "whole number",
        ),
    ] {
        let text = GOOD.replace(
            "{deploy: {service: prod/api, image_tag: \"2.0.0\"}}",
            change,
        );
        let told = told(&text);
        assert!(
            told.contains("14:") && told.contains(expected),
            "{change}: {told}"
        );
    }
}

#[test]
fn a_faulty_event_leaves_the_others_their_numbers() {
    let text = GOOD.replace(
        "events:\n",
        "events:\n- {minutes_ago: 20, change: nothing}\n- {minutes_ago: 99, change: delete-default-route}\n",
    );
    let told = told(&text);
    assert!(
        told.contains("14:") && told.contains("events[0].change"),
        "{told}"
    );
    assert!(
        told.contains("15:") && told.contains("events[1].minutes_ago"),
        "{told}"
    );
}

#[test]
fn what_a_scenario_tells_of_its_world_must_be_so() {
    let symptom = told(&GOOD.replace("TaskFailedToStart", "UserInitiated"));
    assert!(
        symptom.contains("20:") && symptom.contains("shown there: `TaskFailedToStart`"),
        "{symptom}"
    );
    let well = told(&GOOD.replace("image_tag: \"2.0.0\"", "memory: 1024"));
    assert!(well.contains("truth.repairable"), "{well}");
    let ill = told(
        &GOOD
            .replace("[image-tag-not-found]", "[]")
            .replace("repairable: true", "repairable: false"),
    );
    assert!(
        ill.contains("truth.causes") && ill.contains("not healthy"),
        "{ill}"
    );
}

#[test]
fn what_is_no_yaml_is_told_with_its_line() {
    let told = told("name: x\naccounts: [\n");
    assert!(
        told.contains("not checked") && !told.contains("1:1 "),
        "{told}"
    );
}

#[test]
fn nothing_a_person_can_type_makes_the_review_fail() {
    for text in ["", "7", "[]", "name", "a: &a [*a]", "\u{0}", "? [x]\n: y"] {
        assert!(!review(text).mistakes.is_empty(), "{text}");
    }
}
