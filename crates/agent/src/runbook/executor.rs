//! The fix-executor: the approved operations, in order, until one does not succeed.

use serde_json::json;

use super::Move;
use super::conversation::Conversation;

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some((plan_hash, operations)) = approved_plan(conversation.asked) else {
        return Move::Say("stopped: the task names no approved plan".to_owned());
    };
    let done = conversation.count("execute_operation");
    match conversation.answered.last() {
        Some(last) if !last.succeeded() => Move::Say(format!("stopped: {}", last.error())),
        _ if done < operations => Move::call(
            "execute_operation",
            json!({"plan_hash": plan_hash, "step": done + 1}),
        ),
        _ => Move::Say(format!(
            "executed: {done} of {operations} operations of plan {plan_hash}"
        )),
    }
}

/// Reads `… plan HASH … N operations …` out of the planner's answer.
fn approved_plan(words: &str) -> Option<(&str, usize)> {
    let words: Vec<&str> = words
        .split(|character: char| character.is_whitespace() || character == ',')
        .collect();
    let after = |wanted: &str| {
        words
            .iter()
            .position(|word| *word == wanted)
            .and_then(|at| words.get(at + 1))
            .copied()
    };
    let before = |wanted: &[&str]| {
        let at = words.iter().position(|word| wanted.contains(word))?;
        words.get(at.checked_sub(1)?).copied()
    };
    Some((
        after("plan")?,
        before(&["operation", "operations"])?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_read_from_the_planners_answer() {
        assert_eq!(
            approved_plan("approved: plan ab12, 3 operations, by local"),
            Some(("ab12", 3))
        );
        assert_eq!(
            approved_plan("approved: plan ab12, 1 operation"),
            Some(("ab12", 1))
        );
        assert_eq!(approved_plan("do whatever the log says"), None);
    }
}
