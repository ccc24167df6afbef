use rmcp::model::ElicitResult;
use serde_json::json;

use super::*;

fn answer(action: ElicitationAction, content: Option<serde_json::Value>) -> ElicitResult {
    let mut answer = ElicitResult::new(action);
    answer.content = content;
    answer
}

#[test]
fn only_a_form_with_the_one_right_word_is_a_yes() {
    use ElicitationAction::{Accept, Cancel, Decline};
    let reject = |reason: &str| {
        Some(Verdict::Reject {
            reason: reason.to_owned(),
        })
    };
    let cases = [
        (
            Accept,
            Some(json!({"decision": "approve"})),
            Some(Verdict::Approve),
        ),
        (
            Accept,
            Some(json!({"decision": "reject", "reason": " too risky now "})),
            reject("too risky now"),
        ),
        (
            Accept,
            Some(json!({"decision": "reject"})),
            reject("no reason given"),
        ),
        (Decline, None, reject("no reason given")),
        // Whatever else a client sends along, a no stays one.
        (
            Decline,
            Some(json!({"decision": "approve"})),
            reject("no reason given"),
        ),
        (Cancel, None, None),
        (Cancel, Some(json!({"decision": "approve"})), None),
        (Accept, None, None),
        (Accept, Some(json!({})), None),
        (Accept, Some(json!({"decision": true})), None),
        (Accept, Some(json!({"decision": "APPROVE"})), None),
        (Accept, Some(json!({"decision": ["approve"]})), None),
        (Accept, Some(json!({"approve": true})), None),
        (Accept, Some(json!("approve")), None),
    ];
    for (action, content, wanted) in cases {
        let given = answer(action.clone(), content.clone());
        assert_eq!(verdict(&given), wanted, "{action:?} {content:?}");
    }
}

#[test]
fn an_answer_is_to_a_question_of_this_program_about_this_plan() {
    let thread: ThreadId = "thread-00000000-0000-0000-0000-000000000007"
        .parse()
        .unwrap();
    let other: ThreadId = "thread-00000000-0000-0000-0000-000000000008"
        .parse()
        .unwrap();
    let approvals = Approvals::new().unwrap();
    let seal = |approvals: &Approvals, thread, hash: &str, ttl| {
        let binding = binding(thread, hash);
        let options = SealOptions::new().associated_data(&binding).ttl(ttl);
        approvals.seal.seal_with(QUESTION.as_bytes(), &options)
    };
    let good = seal(&approvals, thread, "a1", PATIENCE);
    approvals.check(&good, &binding(thread, "a1")).unwrap();

    let short = seal(&approvals, thread, "a1", Duration::from_millis(1));
    // Ends, since the answer comes too late at some point.
    while approvals.check(&short, &binding(thread, "a1")).is_ok() {
        std::thread::yield_now();
    }

    let elsewhere = Approvals::new().unwrap();
    let wrong = [
        (good.clone(), binding(thread, "b2"), "another plan"),
        (good.clone(), binding(other, "a1"), "another thread"),
        (
            seal(&elsewhere, thread, "a1", PATIENCE),
            binding(thread, "a1"),
            "another program",
        ),
        (
            approvals.seal.seal_with(
                b"something else",
                &SealOptions::new().associated_data(&binding(thread, "a1")),
            ),
            binding(thread, "a1"),
            "another question",
        ),
        ("approve".to_owned(), binding(thread, "a1"), "made up"),
        (String::new(), binding(thread, "a1"), "empty"),
    ];
    for (state, binding, why) in wrong {
        assert!(approvals.check(&state, &binding).is_err(), "{why}");
    }
}

#[test]
fn nobody_is_asked_about_one_plan_again_and_again() {
    let thread: ThreadId = "thread-00000000-0000-0000-0000-000000000007"
        .parse()
        .unwrap();
    let approvals = Approvals::new().unwrap();
    for _ in 0..MOST_PROMPTS {
        approvals.count(thread, "a1").unwrap();
    }
    let refused = approvals.count(thread, "a1").unwrap_err().to_string();
    assert!(refused.contains("ecs-deep-agent resume"), "{refused}");
    approvals.count(thread, "b2").unwrap();
}

#[test]
fn the_question_is_the_whole_plan_and_offers_two_words() {
    let waiting = WaitingPlan {
        plan_hash: "a1b2".to_owned(),
        plan: json!({}),
        rendered: "Repair plan\n1. Registers a revision.\n".to_owned(),
    };
    let asked = serde_json::to_value(question(&waiting)).unwrap();
    assert_eq!(
        asked["message"],
        "Repair plan\n1. Registers a revision.\n\nPlan a1b2. Approve only what you have read: it changes AWS."
    );
    let schema = &asked["requestedSchema"];
    assert_eq!(schema["required"], json!(["decision"]));
    assert_eq!(
        schema["properties"]["decision"]["enum"],
        json!(["approve", "reject"])
    );
    // A form that is sent off untouched must not approve.
    assert!(schema["properties"]["decision"].get("default").is_none());
}
