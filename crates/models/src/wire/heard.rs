//! What a stream has said so far of what it takes, for one that breaks off.

use std::sync::{Mutex, PoisonError};

use rig_core::completion::Usage;
use serde_json::Value;

/// Most bytes of a line that are kept; what is longer is no JSON any more and says nothing.
const LONGEST_LINE: usize = 256 << 10;

/// The usage figures that a stream has said so far: what was read is paid for, whatever comes of the
/// answer. `rig` gives them out only with the end of a stream.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// Figures of an event that is not whole yet: an empty line ends it.
    said: Option<Counts>,
    counts: Option<Counts>,
}

/// The kinds of tokens, none of them a part of another.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
}

impl Heard {
    /// Listens to a piece of the stream.
    pub(crate) fn piece(&self, chunk: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = chunk.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for end in lines {
            state.more(end);
            let line = std::mem::take(&mut state.line);
            if !line.trim_ascii().is_empty() {
                state.said = Counts::of(&line).or(state.said);
            } else if let Some(said) = state.said.take() {
                state.counts = Some(said.over(state.counts.unwrap_or_default()));
            }
        }
        state.more(last);
    }

    /// What it said, as `rig` counts: cached tokens are input, too.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = state.counts?;
        let cached = [counts.cache_read, counts.cache_write];
        let mut usage = Usage::new();
        usage.input_tokens = counts.input.map(|input| {
            let cached = cached.iter().flatten();
            cached.fold(input, |sum, more| sum.saturating_add(*more))
        });
        usage.output_tokens = counts.output;
        usage.cached_input_tokens = counts.cache_read;
        usage.cache_creation_input_tokens = counts.cache_write;
        Some(usage)
    }
}

impl State {
    fn more(&mut self, piece: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.line.len());
        self.line.extend(piece.iter().take(room));
    }
}

impl Counts {
    /// The figures in a line of a stream.
    fn of(line: &[u8]) -> Option<Self> {
        let data = line.strip_prefix(b"data:")?;
        // Most lines say nothing of it and are not worth reading.
        if !data.windows(7).any(|window| window == b"\"usage\"") {
            return None;
        }
        let event: Value = serde_json::from_slice(data).ok()?;
        let usage = ["/usage", "/message/usage", "/response/usage"]
            .iter()
            .find_map(|place| event.pointer(place).filter(|usage| usage.is_object()))?;
        let count = |place: &str| usage.pointer(place).and_then(Value::as_u64);
        if count("/prompt_tokens").is_none() && usage.get("input_tokens_details").is_none() {
            return Some(Self {
                input: count("/input_tokens"),
                cache_read: count("/cache_read_input_tokens"),
                cache_write: count("/cache_creation_input_tokens"),
                output: count("/output_tokens"),
            });
        }
        // OpenAI counts cached tokens as input, too.
        let cached = count("/prompt_tokens_details/cached_tokens")
            .or_else(|| count("/input_tokens_details/cached_tokens"));
        let input = count("/prompt_tokens").or_else(|| count("/input_tokens"));
        Some(Self {
            input: input.map(|input| input.saturating_sub(cached.unwrap_or_default())),
            cache_read: cached,
            cache_write: None,
            output: count("/completion_tokens").or_else(|| count("/output_tokens")),
        })
    }

    /// These, and what they leave out as it was.
    fn over(self, before: Self) -> Self {
        Self {
            input: self.input.or(before.input),
            cache_read: self.cache_read.or(before.cache_read),
            cache_write: self.cache_write.or(before.cache_write),
            output: self.output.or(before.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str, size: usize) -> Option<[Option<u64>; 4]> {
        let heard = Heard::default();
        for piece in text.as_bytes().chunks(size) {
            heard.piece(piece);
        }
        let usage = heard.usage()?;
        Some([
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.cache_creation_input_tokens,
            usage.output_tokens,
        ])
    }

    #[test]
    fn every_forms_figures_are_heard_however_the_stream_is_cut() {
        let cases = [
            (
                "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":5,\
                 \"cache_read_input_tokens\":20,\"output_tokens\":1}}}\n\nevent: message_delta\n\
                 data: {\"delta\":{},\"usage\":{\"output_tokens\":9}}\r\n\r\n",
                [Some(25), Some(20), None, Some(9)],
            ),
            (
                "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":25,\
                 \"completion_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":20}}}\n\n",
                [Some(25), Some(20), None, Some(9)],
            ),
            (
                "data: {\"response\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":9,\
                 \"input_tokens_details\":{\"cached_tokens\":20}}}}\n\n",
                [Some(25), Some(20), None, Some(9)],
            ),
        ];
        for (text, expected) in cases {
            for size in 1..=text.len() {
                assert_eq!(heard(text, size), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn what_says_nothing_is_not_heard() {
        for text in [
            "",
            "data: [DONE]\n\n",
            "data: {\"usage\":{\n\n",
            "data: {\"usage\":{}}",
        ] {
            assert_eq!(heard(text, 3), None, "{text}");
        }
        let endless = format!(
            "data: {{\"usage\":{{\"x\":\"{}\"}}}}\n",
            "x".repeat(LONGEST_LINE)
        );
        assert_eq!(heard(&endless, 4_096), None);
    }
}
