//! Passes a model's answer on while it is written.

use std::sync::{Arc, Mutex, PoisonError};

use ecs_agent_credentials::{CredentialContext, Sink};
use ecs_agent_models::{Delta, DeltaSink};
use ecs_agent_runtime::FramePath;

use crate::exits;
use crate::progress::{Piece, Progress, ProgressSink};

/// How much of what was told is looked at again with what comes, so that a secret in pieces is seen.
const LOOK_BACK_BYTES: usize = 4_096;

/// One answer on its way to whoever watches.
///
/// # Security
/// No secret that the leak guard knows has a space in it. So a word is held back until it is whole
/// and was looked at: nobody sees the beginning of a secret before its end gives it away.
pub(super) struct Told {
    pub(super) context: Arc<CredentialContext>,
    pub(super) progress: Arc<dyn ProgressSink>,
    pub(super) frame: FramePath,
    pub(super) agent: String,
    pub(super) attempt: u32,
    pub(super) text: Mutex<Words>,
    pub(super) reasoning: Mutex<Words>,
}

/// Text that arrives in pieces and leaves in whole words.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The end of what was released, then what was not yet.
    text: String,
    /// Where the latter begins.
    held: usize,
}

impl Words {
    /// Takes a piece in and gives out the words that are whole now, with what to look at.
    fn take(&mut self, piece: &str) -> Option<(String, String)> {
        self.text.push_str(piece);
        let end = self.text.rfind(char::is_whitespace)?;
        let space = self.text.get(end..)?.chars().next()?.len_utf8();
        let words = self.text.get(self.held..end + space)?.to_owned();
        if words.is_empty() {
            return None;
        }
        let looked_at = self.text.clone();
        self.held = end + space;
        let forget = self.held.saturating_sub(LOOK_BACK_BYTES);
        let forget = self.text.floor_char_boundary(forget);
        self.text.drain(..forget);
        self.held -= forget;
        Some((words, looked_at))
    }
}

impl DeltaSink for Told {
    fn delta(&self, delta: Delta<'_>) {
        match delta {
            Delta::Text(piece) => self.words(&self.text, piece, |text| Piece::Text(text)),
            Delta::Reasoning(piece) => {
                self.words(&self.reasoning, piece, |text| Piece::Reasoning(text))
            }
            Delta::ToolCall { name } => {
                let name = exits::text_or_notice(&self.context, Sink::Progress, name);
                self.tell(Piece::ToolCall(name));
            }
            // A kind of piece that a later version of the crate adds is not shown.
            _ => {}
        }
    }
}

impl Told {
    fn words(&self, held: &Mutex<Words>, piece: &str, kind: fn(&str) -> Piece<'_>) {
        let taken = held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(piece);
        let Some((words, looked_at)) = taken else {
            return;
        };
        let withheld = self
            .context
            .inspect(Sink::Progress, looked_at.as_bytes())
            .is_err();
        if !withheld {
            self.tell(kind(&words));
        }
    }

    fn tell(&self, piece: Piece<'_>) {
        self.progress.progress(&Progress::Delta {
            frame: &self.frame,
            agent: &self.agent,
            attempt: self.attempt,
            piece,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_leave_whole_and_in_order_however_they_are_cut() {
        let text = "the service — api — keeps\nrestarting since 10:02 ";
        for size in 1..9 {
            let mut words = Words::default();
            let chars: Vec<char> = text.chars().collect();
            let told: String = chars
                .chunks(size)
                .filter_map(|piece| words.take(&piece.iter().collect::<String>()))
                .inspect(|(words, looked_at)| {
                    assert!(words.ends_with(char::is_whitespace) && looked_at.contains(words));
                })
                .map(|(words, _)| words)
                .collect();
            assert_eq!(told, text);
        }
    }

    #[test]
    fn what_is_looked_at_stays_short() {
        let mut words = Words::default();
        for _ in 0..2_000 {
            words.take("some words ");
        }
        assert!(words.text.len() < LOOK_BACK_BYTES + 100);
    }
}
