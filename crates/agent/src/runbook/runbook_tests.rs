use std::collections::BTreeMap;

use chrono::DateTime;
use ecs_agent_runtime::{
    Budgets, Effect, Event, EventBody, InterruptId, MessageId, RunId, RunOutcome, Thread,
    ThreadStatus, ToolOutcome,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::reply;
use crate::definition::agents;
use crate::prompts::Prompts;
use crate::settings::Mode;
use crate::tools::Toolbox;

/// What each tool answers, in order; the last answer repeats.
struct World {
    answers: BTreeMap<&'static str, Vec<Canned>>,
    called: Vec<String>,
}

#[derive(Clone)]
enum Canned {
    Text(Value),
    Error(Value),
    Asks(Value),
}

impl World {
    fn new(answers: &[(&'static str, Canned)]) -> Self {
        let mut world = Self {
            answers: BTreeMap::new(),
            called: Vec::new(),
        };
        for (tool, answer) in answers {
            world.answers.entry(tool).or_default().push(answer.clone());
        }
        world
    }

    fn answer(&mut self, tool: &str) -> Canned {
        self.called.push(tool.to_owned());
        let answers = self
            .answers
            .get_mut(tool)
            .unwrap_or_else(|| panic!("nobody expects `{tool}`"));
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        }
    }

    /// Runs the whole thread; interrupts are answered with `choice`.
    fn run(&mut self, words: &str, choice: Value) -> String {
        let mut thread = Thread::new(agents(
            &Toolbox::standard(),
            &Prompts::default(),
            Mode::Repair,
        ));
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let apply = |thread: &mut Thread, body| thread.apply(&Event::new(at, body)).unwrap();
        apply(
            &mut thread,
            EventBody::HumanSaid {
                id: MessageId::new(Uuid::nil()),
                text: words.to_owned(),
            },
        );
        apply(
            &mut thread,
            EventBody::RunStarted {
                run: RunId::new(Uuid::nil()),
                budgets: Budgets::default(),
            },
        );
        let mut questions = 0_u128;
        loop {
            let Some(effect) = thread.effects().into_iter().next() else {
                panic!("the run stopped at {:?}", thread.status());
            };
            let body = match effect {
                Effect::EndRun { outcome } => {
                    let RunOutcome::Completed { text } = &outcome else {
                        panic!("{outcome:?}")
                    };
                    return text.clone();
                }
                Effect::CallModel { frame, request, .. } => {
                    request.check_orphans().unwrap();
                    let reply = reply(&request);
                    EventBody::ModelReplied {
                        frame,
                        text: reply.text,
                        tool_calls: reply.tool_calls,
                        reasoning: reply.reasoning,
                        finish: reply.finish,
                        usage: reply.usage,
                    }
                }
                other @ (Effect::Compact { .. }
                | Effect::UseFiles { .. }
                | Effect::RaiseInterrupt { .. }) => {
                    panic!("nothing of the kind is configured: {other:?}")
                }
                Effect::AskPerson { interrupt_id, .. } => {
                    assert_eq!(thread.status(), ThreadStatus::Interrupted);
                    EventBody::InterruptAnswered {
                        interrupt_id,
                        answer: choice.clone(),
                        by: "test".to_owned(),
                    }
                }
                Effect::CallTool {
                    frame,
                    call,
                    answer: None,
                    ..
                } => match self.answer(&call.name) {
                    Canned::Text(text) => EventBody::ToolReturned {
                        frame,
                        call_id: call.id,
                        outcome: ToolOutcome::success(text.to_string()),
                    },
                    Canned::Error(text) => EventBody::ToolReturned {
                        frame,
                        call_id: call.id,
                        outcome: ToolOutcome::error(text.to_string()),
                    },
                    Canned::Asks(payload) => {
                        questions += 1;
                        EventBody::InterruptRaised {
                            frame,
                            call_id: call.id,
                            interrupt_id: InterruptId::new(Uuid::from_u128(questions)),
                            payload,
                        }
                    }
                },
                Effect::CallTool {
                    frame,
                    call,
                    answer: Some(given),
                    ..
                } => EventBody::ToolReturned {
                    frame,
                    call_id: call.id,
                    outcome: ToolOutcome::success(given.answer.to_string()),
                },
            };
            apply(&mut thread, body);
        }
    }
}

fn text(value: Value) -> Canned {
    Canned::Text(value)
}

/// Everything up to a diagnosis that finds something.
fn unwell() -> Vec<(&'static str, Canned)> {
    vec![
        (
            "extract_and_set_credentials_from_stack_job",
            text(json!({"registered": false})),
        ),
        (
            "set_aws_credentials_context",
            text(json!({"state": "filled"})),
        ),
        (
            "find_ecs_service",
            text(
                json!({"match": "one", "candidate": {"arn": "a", "cluster": "prod", "service": "api"}}),
            ),
        ),
        (
            "set_service_context_info",
            text(json!({"summary": "api in prod"})),
        ),
        ("observe_service", text(json!({}))),
        ("diagnose_observation", text(json!({}))),
        (
            "write_diagnostic_report",
            text(json!({"verdict": "unwell: out of memory"})),
        ),
    ]
}

#[test]
fn an_unwell_service_goes_through_all_five_specialists() {
    let mut answers = unwell();
    answers.extend([
        (
            "propose_plan",
            text(json!({"decision": "approved: plan ab12, 2 operations, by test"})),
        ),
        ("execute_operation", text(json!({}))),
        (
            "verify_service",
            text(json!({"state": "healthy", "can_roll_back": true})),
        ),
        (
            "write_final_report",
            text(json!({"verdict": "repaired: api is steady"})),
        ),
    ]);
    let mut world = World::new(&answers);
    let said = world.run("api keeps restarting", Value::Null);
    assert!(said.starts_with("repaired: api is steady"), "{said}");
    assert_eq!(
        world.called,
        [
            "extract_and_set_credentials_from_stack_job",
            "set_aws_credentials_context",
            "find_ecs_service",
            "set_service_context_info",
            "observe_service",
            "diagnose_observation",
            "write_diagnostic_report",
            "propose_plan",
            "execute_operation",
            "execute_operation",
            "verify_service",
            "write_final_report",
        ]
    );
}

#[test]
fn a_healthy_service_ends_after_the_diagnosis() {
    let mut answers = unwell();
    answers.retain(|(tool, _)| *tool != "write_diagnostic_report");
    answers.push((
        "write_diagnostic_report",
        text(json!({"verdict": "healthy: nothing is wrong"})),
    ));
    let mut world = World::new(&answers);
    assert!(
        world
            .run("is api fine?", Value::Null)
            .starts_with("healthy:")
    );
}

#[test]
fn several_matches_are_a_question_and_the_choice_is_taken() {
    let mut answers = unwell();
    answers.retain(|(tool, _)| *tool != "find_ecs_service");
    answers.push((
        "find_ecs_service",
        text(json!({"match": "several", "candidates": [
            {"arn": "one", "cluster": "blue", "service": "api", "label": "api in blue"},
            {"arn": "two", "cluster": "green", "service": "api", "label": "api in green"},
        ]})),
    ));
    answers.push(("ask_person", Canned::Asks(json!({"kind": "question"}))));
    answers.push((
        "propose_plan",
        text(json!({"decision": "rejected: not now"})),
    ));
    let mut world = World::new(&answers);
    let said = world.run("api", json!({"choice": "two"}));
    assert!(said.starts_with("rejected: not now"), "{said}");
    assert!(
        world
            .called
            .contains(&"set_service_context_info".to_owned())
    );
}

#[test]
fn what_did_not_help_is_rolled_back_once() {
    let mut answers = unwell();
    answers.extend([
        (
            "propose_plan",
            text(json!({"decision": "approved: plan ab12, 1 operation, by test"})),
        ),
        ("execute_operation", text(json!({}))),
        (
            "verify_service",
            text(json!({"state": "worse", "can_roll_back": true})),
        ),
        (
            "verify_service",
            text(json!({"state": "unchanged", "can_roll_back": false})),
        ),
        ("roll_back_plan", text(json!({"complete": true}))),
        (
            "write_final_report",
            text(json!({"verdict": "rolled back: it got worse"})),
        ),
    ]);
    let mut world = World::new(&answers);
    assert!(world.run("api", Value::Null).starts_with("rolled back:"));
    assert_eq!(
        world
            .called
            .iter()
            .filter(|tool| *tool == "roll_back_plan")
            .count(),
        1
    );
}

#[test]
fn a_refused_step_stops_the_execution_and_is_reported() {
    let mut answers = unwell();
    answers.extend([
        (
            "propose_plan",
            text(json!({"decision": "approved: plan ab12, 3 operations, by test"})),
        ),
        (
            "execute_operation",
            Canned::Error(json!({"error": "refused: the service has moved"})),
        ),
        (
            "verify_service",
            text(json!({"state": "unchanged", "can_roll_back": false})),
        ),
        (
            "write_final_report",
            text(json!({"verdict": "not repaired: the service has moved"})),
        ),
    ]);
    let mut world = World::new(&answers);
    assert!(world.run("api", Value::Null).starts_with("not repaired:"));
    assert_eq!(
        world
            .called
            .iter()
            .filter(|tool| *tool == "execute_operation")
            .count(),
        1
    );
}

#[test]
fn credentials_that_cannot_be_opened_end_the_run_with_the_reason() {
    let mut world = World::new(&[
        (
            "extract_and_set_credentials_from_stack_job",
            text(json!({"registered": false})),
        ),
        (
            "set_aws_credentials_context",
            Canned::Error(json!({"error": "the keys have expired"})),
        ),
    ]);
    let said = world.run("api", Value::Null);
    assert!(said.contains("the keys have expired"), "{said}");
}
