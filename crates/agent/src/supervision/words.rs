//! The words of a takeover, and the last words of a run.

use ecs_agent_models::ModelReply;
use ecs_agent_runtime::{Message, ThreadState};
use ecs_agent_untrusted::escape;

use super::Standing;

/// How a move of the runbook in a model's place is marked in the log.
pub(super) const TAKES_OVER: &str = "The runbook takes over: ";

/// Longest words of a model that are shown after a verdict, in characters.
const LONGEST_WORDS: usize = 2_000;

/// A model cannot pass its words off as the runbook's.
pub(super) fn without_our_mark(mut reply: ModelReply) -> ModelReply {
    if reply.text.contains(TAKES_OVER) {
        reply.text = reply.text.replace(TAKES_OVER, "(said by the model) ");
    }
    reply
}

/// Why the runbook took over, if that is what a reply tells.
pub(super) fn takeover(text: &str) -> Option<&str> {
    let (_, why) = text.split_once(TAKES_OVER)?;
    why.lines().next()
}

/// Where and why the runbook took over, in the order of the agents' frames, each reason of an agent
/// once.
pub(crate) fn takeovers(state: &ThreadState) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for (_, frame) in state.frames() {
        for message in frame.messages() {
            let Message::Ai { text, .. } = message else {
                continue;
            };
            if let Some(why) = takeover(text) {
                let line = format!("{}: {why}", frame.agent());
                if !told.contains(&line) {
                    told.push(line);
                }
            }
        }
    }
    told
}

/// A run's last words: the verdict that the program wrote in this turn and its document, then what
/// the model said, marked as what it is.
pub(crate) fn closing(standing: &Standing, said: &str) -> String {
    let said = said.split(TAKES_OVER).next().unwrap_or_default().trim();
    let verdict = standing.verdict.as_ref();
    let mut out = match verdict.filter(|verdict| verdict.turn == standing.turn) {
        Some(verdict) => format!("{}\nReport: {}", verdict.text, verdict.file),
        None if standing.reported => "Nothing new was read.".to_owned(),
        None => "inconclusive: no service was diagnosed".to_owned(),
    };
    // A model that repeats the verdict adds nothing.
    let adds = verdict.is_none_or(|verdict| {
        !verdict.text.contains(said) && said.replace(&verdict.text, "").trim().len() > 40
    });
    if !said.is_empty() && adds && !out.contains(said) {
        let mut characters = said.chars();
        let shown: String = characters.by_ref().take(LONGEST_WORDS).collect();
        let more = if characters.next().is_some() {
            "…"
        } else {
            ""
        };
        out.push_str("\n\nThe model's own words, which nobody has checked:\n");
        for line in escape(&shown).lines() {
            out.push_str(&format!("> {line}\n"));
        }
        out.push_str(more);
    }
    out
}
