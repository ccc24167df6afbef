//! What happens when a language model does not do an agent's work: the runbook takes over.
//!
//! The runbook is a model that reads the same messages and calls the same tools, so it can go on
//! from anywhere. Each of its moves here is logged as the agent's reply, says that it is the
//! runbook's, and is shown in the reports ([`takeovers`]). What a person is told at the end is the
//! verdict that the program wrote ([`closing`]); a model's own words come after it, marked.

mod standing;
mod words;

use ecs_agent_models::{ModelError, ModelReply};
use ecs_agent_runtime::{FinishReason, Message, ModelRequest};
use serde_json::json;

use crate::runbook::conversation::Conversation;
use crate::runbook::{Move, as_reply, lead, next_move};

pub(crate) use standing::{Standing, WrittenVerdict};
use words::{TAKES_OVER, takeover, without_our_mark};
pub(crate) use words::{closing, takeovers};

/// Most turns of one agent before the runbook finishes its work.
const MOST_TURNS: usize = 24;

/// Failed tool calls in a row after which the runbook goes on.
const MOST_FAILURES: usize = 3;

/// How a takeover is told whose model gave no answer, however often its provider was asked.
const FAILED: &str = "it failed: ";

/// How often the runbook starts the same specialist in one turn of the main agent.
const MOST_HANDOVERS: usize = 2;

/// The runbook's move, if the model has had its chance: it is not asked again.
pub(crate) fn before(request: &ModelRequest, standing: &Standing) -> Option<ModelReply> {
    let conversation = Conversation::of(&request.messages);
    if let Some(why) = failed_before(&request.messages) {
        return Some(take_over(request, &conversation, standing, &why));
    }
    let turns = turns(&request.messages);
    let failures = conversation
        .answered
        .iter()
        .rev()
        .take_while(|answer| !answer.succeeded())
        .count();
    let why = if turns >= MOST_TURNS {
        format!("it did not finish in {turns} turns")
    } else if failures >= MOST_FAILURES && !is_runbooks_last(&request.messages) {
        format!("its last {failures} calls failed")
    } else {
        return None;
    };
    Some(take_over(request, &conversation, standing, &why))
}

/// The reply, or the runbook's move where the agent's work is not done.
pub(crate) fn after(request: &ModelRequest, reply: ModelReply, standing: &Standing) -> ModelReply {
    let reply = without_our_mark(reply);
    if !reply.tool_calls.is_empty() {
        return reply;
    }
    let conversation = Conversation::of(&request.messages);
    let Some(why) = unfinished(request.agent.as_str(), &conversation, standing) else {
        // Cut off or not, the work is done: nobody is asked to go on.
        return ModelReply {
            finish: FinishReason::default(),
            ..reply
        };
    };
    let mut ours = take_over(request, &conversation, standing, why);
    if !reply.text.trim().is_empty() {
        let said: String = reply.text.chars().take(500).collect();
        ours.text.push_str(&format!("\nThe model said: {said}"));
    }
    ModelReply {
        usage: reply.usage,
        ..ours
    }
}

/// The runbook's move in place of an answer that did not come.
pub(crate) fn instead_of(
    request: &ModelRequest,
    error: &ModelError,
    standing: &Standing,
) -> ModelReply {
    let conversation = Conversation::of(&request.messages);
    let said: String = error.to_string().chars().take(300).collect();
    let why = format!("{FAILED}{said}");
    take_over(request, &conversation, standing, &why).using(error.usage())
}

fn take_over(
    request: &ModelRequest,
    conversation: &Conversation<'_>,
    standing: &Standing,
    why: &str,
) -> ModelReply {
    let next = match request.agent.as_str() {
        "main" => lead_move(conversation, standing),
        "fix-executor" => executor_move(conversation, standing),
        agent => next_move(agent, conversation),
    };
    let mut reply = as_reply(request, next);
    reply.text = if reply.text.is_empty() {
        format!("{TAKES_OVER}{why}")
    } else {
        // A specialist's answer begins with its verdict.
        format!("{}\n{TAKES_OVER}{why}", reply.text)
    };
    reply
}

/// Why the agent's work is not done although it ends its turn.
fn unfinished(
    agent: &str,
    conversation: &Conversation<'_>,
    standing: &Standing,
) -> Option<&'static str> {
    let succeeded = |tool: &str| conversation.last(tool).is_some_and(|last| last.succeeded());
    match agent {
        "main" => unfinished_lead(conversation, standing).map(|(_, why)| why),
        "service-identifier" => {
            identification(conversation).filter(|_| !succeeded("set_service_context_info"))
        }
        "triage-specialist" => {
            (!succeeded("write_diagnostic_report")).then_some("it ended without a report")
        }
        "repair-planner" => (!succeeded("propose_plan")).then_some("it ended without a plan"),
        "fix-executor" => {
            let (_, steps) = standing.approved.as_ref()?;
            let left = standing.executed < *steps && !standing.stopped;
            (left && executor_is_on(conversation, standing)).then_some("it ended with steps left")
        }
        "verification-specialist" if !succeeded("write_final_report") => {
            Some("it ended without the final report")
        }
        "verification-specialist" => {
            let place = |tool| conversation.plain_place(tool);
            (place("verify_service").is_none()
                || place("verify_service") > place("write_final_report"))
            .then_some("it reported without watching the service")
        }
        _ => None,
    }
}

/// Why an identification is not over: there is something left that leads to a service.
fn identification(conversation: &Conversation<'_>) -> Option<&'static str> {
    let next = next_move("service-identifier", conversation);
    let searched = conversation
        .last("find_ecs_service")
        .is_some_and(|search| search.succeeded());
    let why = if searched {
        "it ended although the search has an answer"
    } else {
        "it ended without a search"
    };
    matches!(next, Move::Call(_)).then_some(why)
}

/// Which specialist has to work before the main agent may end, and why.
fn unfinished_lead(
    conversation: &Conversation<'_>,
    standing: &Standing,
) -> Option<(&'static str, &'static str)> {
    let (specialist, why) = if !standing.identified {
        (
            "service-identifier",
            "it ended before a service was looked for",
        )
    } else if !standing.reported {
        (
            "triage-specialist",
            "it ended before the service was diagnosed",
        )
    } else if standing.mode == crate::settings::Mode::Diagnose {
        return None;
    } else if standing.has_root && !standing.decided {
        ("repair-planner", "it ended before a plan was proposed")
    } else if let Some((_, steps)) = &standing.approved
        && !standing.concluded
    {
        if standing.executed < *steps && !standing.stopped {
            (
                "fix-executor",
                "it ended before the approved plan was carried out",
            )
        } else {
            (
                "verification-specialist",
                "it ended before the repair was verified",
            )
        }
    } else {
        return None;
    };
    let tried = conversation
        .answered
        .iter()
        .filter(|answer| {
            answer.call.name == "task"
                && answer
                    .call
                    .arguments
                    .get("subagent_type")
                    .and_then(serde_json::Value::as_str)
                    == Some(specialist)
        })
        .count();
    let most = match specialist {
        // Its answer stands: whoever was not found once is not found by asking again.
        "service-identifier" => 1,
        _ => MOST_HANDOVERS,
    };
    (tried < most).then_some((specialist, why))
}

fn lead_move(conversation: &Conversation<'_>, standing: &Standing) -> Move {
    let Some((specialist, _)) = unfinished_lead(conversation, standing) else {
        let verdict = standing.verdict.as_ref();
        return Move::Say(verdict.map_or_else(
            || "inconclusive: no service was diagnosed".to_owned(),
            |verdict| verdict.text.clone(),
        ));
    };
    let words = match (specialist, &standing.approved) {
        ("fix-executor", Some((hash, steps))) => {
            format!("approved: plan {hash}, {steps} operations")
        }
        _ => conversation.asked.to_owned(),
    };
    lead::hand_to(lead::place_of(specialist).unwrap_or(0), &words)
}

fn executor_move(conversation: &Conversation<'_>, standing: &Standing) -> Move {
    let Some((hash, steps)) = &standing.approved else {
        return Move::Say("stopped: no plan is approved".to_owned());
    };
    let step = standing.executed + 1;
    let last = conversation.last("execute_operation");
    // What failed as it should be called fails again.
    let failed = last.filter(|last| {
        let asked = &last.call.arguments;
        !last.succeeded()
            && asked.get("plan_hash") == Some(&json!(hash))
            && asked.get("step") == Some(&json!(step))
    });
    match failed {
        Some(last) => Move::Say(format!("stopped: {}", last.error())),
        _ if standing.executed < *steps => Move::call(
            "execute_operation",
            json!({"plan_hash": hash, "step": step}),
        ),
        _ => Move::Say(format!(
            "executed: {} of {steps} operations of plan {hash}",
            standing.executed
        )),
    }
}

/// Whether the executor has something to call.
fn executor_is_on(conversation: &Conversation<'_>, standing: &Standing) -> bool {
    matches!(executor_move(conversation, standing), Move::Call(_))
}

/// What the model said since it was asked, newest first.
fn said(messages: &[Message]) -> impl Iterator<Item = &str> {
    let since = messages
        .iter()
        .rev()
        .take_while(|message| !matches!(message, Message::Human { .. }));
    since.filter_map(|message| match message {
        Message::Ai { text, .. } => Some(text.as_str()),
        Message::Human { .. } | Message::Tool { .. } => None,
    })
}

/// The model's turns since it was asked.
fn turns(messages: &[Message]) -> usize {
    said(messages).count()
}

/// Why the model gave no answer to this question before. A provider that is down or wants another key
/// would be waited for at each of the agent's turns.
fn failed_before(messages: &[Message]) -> Option<String> {
    said(messages).find_map(|text| {
        let why = takeover(text)?;
        why.starts_with(FAILED).then(|| why.to_owned())
    })
}

/// Whether the last move was the runbook's already: what fails for it as well is told to the model.
fn is_runbooks_last(messages: &[Message]) -> bool {
    messages
        .iter()
        .rev()
        .find_map(|message| match message {
            Message::Ai { text, .. } => Some(text.contains(TAKES_OVER)),
            Message::Human { .. } | Message::Tool { .. } => None,
        })
        .unwrap_or(false)
}

#[cfg(test)]
#[path = "supervision_tests.rs"]
mod tests;
