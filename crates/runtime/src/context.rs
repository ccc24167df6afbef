//! What of a frame's messages its model still reads: all of them, or a summary and the last ones.
//!
//! A frame's history is never rewritten. A compaction says from which message on the model reads,
//! and what stands for the rest; the rest is in a file that the summary names.

use std::fmt::Write as _;

use crate::estimate::{estimated_tokens, message_tokens};
use crate::files::clipped;
use crate::message::{Message, ToolCall};
use crate::usage::Usage;

/// Share of its window at which a frame is compacted, and what stays as it is: deepagents' shares.
const COMPACT_AT_PERCENT: u64 = 85;
const KEEP_PERCENT: u64 = 10;
/// Share of its window that a frame must have used for its own wish to be compacted to be granted.
const WISH_AT_PERCENT: u64 = COMPACT_AT_PERCENT / 2;
/// Longest argument text that is kept in calls from before a compaction.
const MAX_OLD_ARGUMENT_CHARS: usize = 2_000;
/// Tool results are never clipped to less.
const MIN_RESULT_CHARS: usize = 2_000;
/// How much of each of the person's messages a summary repeats word for word.
const MAX_PERSON_BYTES: usize = 4_000;

/// What a frame's model reads of its messages, and how long that is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Context {
    pub(crate) compaction: Option<Compaction>,
    /// Estimate of what the model reads, without the system prompt and the tools.
    tokens: u64,
    /// What the provider counted, and the estimate at that time.
    measured: Option<Measured>,
    /// The model, or its provider, asked for a compaction.
    pub(crate) wanted: Option<Wanted>,
    /// Requests in a row that were refused as too long.
    pub(crate) overflows: u32,
    /// How many messages there were at the last compaction.
    compacted_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    counted: u64,
    estimated: u64,
}

/// Who asked for a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The agent itself.
    ByAgent,
    /// Its provider, by refusing a request as too long.
    ByProvider,
}

/// A compaction that took place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compaction {
    /// What stands for the messages before `keep_from`.
    pub(crate) summary: String,
    /// The first message that is still read as it is.
    pub(crate) keep_from: usize,
    /// Long tool results before this message are shown in part.
    pub(crate) clip: Option<Clip>,
    /// Long arguments of calls before this message are cut.
    pub(crate) cut_before: usize,
    /// How many compactions there were.
    pub(crate) count: u32,
}

/// Long tool results, shown in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clip {
    pub(crate) chars: usize,
    pub(crate) before: usize,
}

/// What a compaction would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The first message that stays.
    pub(crate) keep_from: usize,
    /// To how many characters the tool results that stay are cut, if they are too long.
    pub(crate) clip_chars: Option<usize>,
}

impl Context {
    pub(crate) fn add(&mut self, message: &Message) {
        self.tokens = self.tokens.saturating_add(message_tokens(message));
    }

    /// Takes note of what a provider counted for everything up to and with its reply.
    pub(crate) fn measure(&mut self, usage: Usage) {
        self.overflows = 0;
        self.measured = Some(Measured {
            counted: usage.total(),
            estimated: self.tokens,
        });
    }

    /// Tokens of the next request: by estimate, or by what the provider counted last and what has
    /// come since, whichever is more.
    pub(crate) fn tokens(&self, overhead: u64) -> u64 {
        let estimated = self.tokens.saturating_add(overhead);
        self.measured.map_or(estimated, |measured| {
            let since = self.tokens.saturating_sub(measured.estimated);
            estimated.max(measured.counted.saturating_add(since))
        })
    }

    /// Whether the agent's own wish to be compacted is granted.
    pub(crate) fn grants_wish(&self, overhead: u64, window: Option<u64>) -> bool {
        window.is_some_and(|window| self.tokens(overhead) >= percent(window, WISH_AT_PERCENT))
    }

    /// The compaction that is due now, if one is.
    pub(crate) fn due(
        &self,
        messages: &[Message],
        overhead: u64,
        window: Option<u64>,
    ) -> Option<Plan> {
        let tokens = self.tokens(overhead);
        let grown = messages.len() > self.compacted_at;
        let full =
            window.is_some_and(|window| tokens >= percent(window, COMPACT_AT_PERCENT)) && grown;
        if self.wanted.is_none() && !full {
            return None;
        }
        if let Some(Wanted::ByProvider) = self.wanted {
            return self.due_by_provider(messages, overhead, window);
        }
        plan(
            messages,
            self.start(),
            percent(window.unwrap_or(tokens), KEEP_PERCENT),
        )
    }

    /// The compaction that would be due if the provider refused the request as too long: its window
    /// is smaller than what it was sent.
    pub(crate) fn due_by_provider(
        &self,
        messages: &[Message],
        overhead: u64,
        window: Option<u64>,
    ) -> Option<Plan> {
        let tokens = self.tokens(overhead);
        let room = window.unwrap_or(tokens).min(tokens) / 2;
        plan(messages, self.start(), percent(room, KEEP_PERCENT))
    }

    /// The first message that is read as it is.
    pub(crate) fn start(&self) -> usize {
        self.compaction
            .as_ref()
            .map_or(0, |compaction| compaction.keep_from)
    }

    /// Puts a compaction in force.
    pub(crate) fn compact(&mut self, messages: &[Message], summary: String, plan: Plan) {
        let count = self.count().saturating_add(1);
        self.compaction = Some(Compaction {
            summary,
            keep_from: plan.keep_from,
            clip: plan.clip_chars.map(|chars| Clip {
                chars,
                before: messages.len(),
            }),
            cut_before: last_group(messages),
            count,
        });
        self.wanted = None;
        self.measured = None;
        self.compacted_at = messages.len();
        self.tokens = self
            .view(messages)
            .iter()
            .map(message_tokens)
            .fold(0, u64::saturating_add);
    }

    pub(crate) fn count(&self) -> u32 {
        self.compaction
            .as_ref()
            .map_or(0, |compaction| compaction.count)
    }

    /// What the model reads.
    pub(crate) fn view(&self, messages: &[Message]) -> Vec<Message> {
        let Some(compaction) = &self.compaction else {
            return messages.to_vec();
        };
        let summary = (!compaction.summary.is_empty()).then(|| Message::Human {
            text: compaction.summary.clone(),
        });
        let kept = messages
            .iter()
            .enumerate()
            .skip(compaction.keep_from)
            .map(|(index, message)| compaction.shown(index, message));
        summary.into_iter().chain(kept).collect()
    }
}

impl Compaction {
    fn shown(&self, index: usize, message: &Message) -> Message {
        let mut shown = message.clone();
        match &mut shown {
            Message::Ai { tool_calls, .. } if index < self.cut_before => {
                tool_calls.iter_mut().for_each(cut_arguments);
            }
            Message::Tool { text, .. } => {
                if let Some(clip) = self.clip.filter(|clip| index < clip.before)
                    && let Some(short) = ends(text, clip.chars)
                {
                    *text = short;
                }
            }
            Message::Ai { .. } | Message::Human { .. } => {}
        }
        shown
    }
}

/// Cuts the long texts in a call's arguments: what was written can be read in its file.
fn cut_arguments(call: &mut ToolCall) {
    let Some(arguments) = call.arguments.as_object_mut() else {
        return;
    };
    for value in arguments.values_mut() {
        if let serde_json::Value::String(text) = value
            && text.chars().nth(MAX_OLD_ARGUMENT_CHARS).is_some()
        {
            *value = format!("{}… (cut)", clipped(text, 200)).into();
        }
    }
}

/// The start and the end of a text that is longer than that; `None` if it is not.
fn ends(text: &str, chars: usize) -> Option<String> {
    if text.len() <= chars {
        return None;
    }
    let head = clipped(text, chars / 2);
    let tail = text.get(text.ceil_char_boundary(text.len() - chars / 2)..)?;
    let cut = text.len() - head.len() - tail.len();
    Some(format!(
        "{head}\n(… {cut} bytes cut here when the conversation was compacted; they are in the \
         history file that the summary names …)\n{tail}"
    ))
}

/// Where to cut: the last messages that fit in `room` stay, and never less than the last turn.
fn plan(messages: &[Message], start: usize, room: u64) -> Option<Plan> {
    let last = last_group(messages).max(start);
    let of = |range: &[Message]| {
        range
            .iter()
            .map(message_tokens)
            .fold(0, u64::saturating_add)
    };
    let mut kept = of(messages.get(last..)?);
    let mut keep_from = last;
    // A cut right after an AI message would part calls from their answers.
    for index in (start..last).rev() {
        let message = messages.get(index)?;
        kept = kept.saturating_add(message_tokens(message));
        if kept > room {
            break;
        }
        if !matches!(message, Message::Tool { .. }) {
            keep_from = index;
        }
    }
    let results = messages
        .get(keep_from..)?
        .iter()
        .filter(|message| matches!(message, Message::Tool { .. }))
        .count();
    let clip_chars = (of(messages.get(keep_from..)?) > room && results > 0).then(|| {
        let chars = usize::try_from(room.saturating_mul(3)).unwrap_or(usize::MAX) / results;
        chars.max(MIN_RESULT_CHARS)
    });
    let clips = clip_chars.is_some_and(|chars| {
        messages
            .iter()
            .skip(keep_from)
            .any(|message| matches!(message, Message::Tool { text, .. } if text.len() > chars))
    });
    let plan = Plan {
        keep_from,
        clip_chars: clip_chars.filter(|_| clips),
    };
    (keep_from > start || clips).then_some(plan)
}

/// Where the last turn begins: the last message that is no tool's answer.
fn last_group(messages: &[Message]) -> usize {
    messages
        .iter()
        .rposition(|message| !matches!(message, Message::Tool { .. }))
        .unwrap_or(0)
}

/// Whether a model could read on from this message.
pub(crate) fn is_boundary(messages: &[Message], index: usize) -> bool {
    index <= last_group(messages)
        && messages
            .get(index)
            .is_some_and(|message| !matches!(message, Message::Tool { .. }))
}

fn percent(of: u64, percent: u64) -> u64 {
    of.saturating_mul(percent) / 100
}

/// Messages as a person, or a model that searches them, reads them.
pub(crate) fn transcript(messages: &[Message], max_text_bytes: usize) -> String {
    let mut text = String::new();
    for message in messages {
        let shown = |text: &str| ends(text, max_text_bytes).unwrap_or_else(|| text.to_owned());
        let _ = match message {
            Message::Human { text: said } => {
                writeln!(text, "## Person\n\n{}\n", shown(said))
            }
            Message::Ai {
                text: said,
                tool_calls,
                ..
            } => {
                let _ = writeln!(text, "## Agent\n\n{}\n", shown(said));
                tool_calls.iter().try_for_each(|call| {
                    let arguments = call.arguments.to_string();
                    writeln!(
                        text,
                        "Called `{}` as `{}` with {}\n",
                        call.name,
                        call.id,
                        shown(&arguments)
                    )
                })
            }
            Message::Tool {
                call_id,
                name,
                text: result,
                ..
            } => writeln!(
                text,
                "## Result of `{name}` (`{call_id}`)\n\n{}\n",
                shown(result)
            ),
        };
    }
    text
}

/// The largest transcript of these messages that a model with that window can summarise.
pub(crate) fn transcript_within(messages: &[Message], window: u64) -> String {
    let budget = percent(window, 60);
    let mut each = 20_000;
    loop {
        let text = transcript(messages, each);
        if each <= 200 || estimated_tokens(&text) <= budget {
            let bytes = usize::try_from(budget.saturating_mul(3)).unwrap_or(usize::MAX);
            return ends(&text, bytes).unwrap_or(text);
        }
        each /= 2;
    }
}

/// What stands for messages that are not read any more: the task word for word, and a summary.
pub(crate) fn summary(words: &str, messages: &[Message], file: Option<&str>) -> String {
    let mut text =
        "(The program has replaced the earlier part of this conversation by a summary.".to_owned();
    if let Some(file) = file {
        let _ = write!(
            text,
            " All of it is in `{file}`: read_file and grep it when a detail is missing."
        );
    }
    text.push_str(")\n\n");
    let said: Vec<String> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Human { text } => Some(
                ends(text, MAX_PERSON_BYTES)
                    .as_deref()
                    .unwrap_or(text)
                    .replace('\n', "\n> "),
            ),
            Message::Ai { .. } | Message::Tool { .. } => None,
        })
        .collect();
    if !said.is_empty() {
        let said = format!("> {}", said.join("\n\n> "));
        let said = ends(&said, 5 * MAX_PERSON_BYTES).unwrap_or(said);
        let _ = writeln!(text, "What was asked, word for word:\n{said}\n");
    }
    text.push_str("Summary:\n");
    text.push_str(words.trim());
    text
}

/// A summary without a model: what was called, and what was said.
pub(crate) fn plain_summary(messages: &[Message]) -> String {
    const MAX_LINES: usize = 60;
    let mut lines: Vec<String> = Vec::new();
    for message in messages {
        match message {
            Message::Ai { text, .. } if !text.trim().is_empty() => {
                lines.push(format!("- said: {}", one_line(text)));
            }
            Message::Tool {
                name, text, status, ..
            } => {
                let how = match status {
                    crate::message::ToolStatus::Success => "",
                    crate::message::ToolStatus::Error => " (an error)",
                };
                lines.push(format!("- `{name}` returned{how}: {}", one_line(text)));
            }
            Message::Ai { .. } | Message::Human { .. } => {}
        }
    }
    let left_out = lines.len().saturating_sub(MAX_LINES);
    let mut text = if left_out > 0 {
        format!("({left_out} earlier steps are only in the file.)\n")
    } else {
        String::new()
    };
    text.push_str(&lines.split_off(left_out).join("\n"));
    text
}

fn one_line(text: &str) -> String {
    clipped(text.trim(), 300).replace('\n', " ")
}
