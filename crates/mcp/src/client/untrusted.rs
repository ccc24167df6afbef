//! Text that somebody else's program wrote.

use std::fmt;

use ecs_agent_credentials::SecretText;
use ecs_agent_untrusted::is_active;

/// Text of another server, with its source. There is no way to read it but to say where it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Untrusted {
    source: String,
    text: String,
}

/// Where untrusted text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A language model, inside a frame that names its source.
    Model,
    /// A log or a terminal: one line.
    Line,
}

/// Longest text that a model is shown, in characters.
const LONGEST_FOR_MODEL: usize = 64 * 1024;
/// Longest line of a log, in characters.
const LONGEST_LINE: usize = 1_000;

impl Untrusted {
    pub(crate) fn new(source: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            text: text.into(),
        }
    }

    /// Returns who wrote it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Tells whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Writes it for `sink`: what steers, hides or turns is made visible, and the length is bounded.
    #[must_use]
    pub fn render_for(&self, sink: Sink) -> String {
        match sink {
            Sink::Model => self.shown(LONGEST_FOR_MODEL, true),
            Sink::Line => self.shown(LONGEST_LINE, false),
        }
    }

    /// Writes it for a model or a document, cut to a length of its own.
    #[must_use]
    pub fn excerpt(&self, longest: usize) -> String {
        self.shown(longest.min(LONGEST_FOR_MODEL), true)
    }

    /// Writes it on one line, cut to a length of its own.
    pub(super) fn one_line(&self, longest: usize) -> String {
        self.shown(longest.min(LONGEST_LINE), false)
    }

    fn shown(&self, longest: usize, line_breaks: bool) -> String {
        let mut shown = String::with_capacity(self.text.len().min(longest));
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(longest) {
            match character {
                '\n' | '\t' if line_breaks => shown.push(character),
                active if is_active(active) => shown.extend(active.escape_unicode()),
                plain => shown.push(plain),
            }
        }
        if characters.next().is_some() {
            shown.push('…');
        }
        shown
    }

    /// Hands the text to host-side code that parses it.
    pub(crate) fn parse<T>(&self, parser: impl FnOnce(&str) -> T) -> T {
        parser(&self.text)
    }

    /// The same for text that holds a secret: it is wiped afterwards.
    pub(crate) fn parse_and_wipe<T>(mut self, parser: impl FnOnce(&str) -> T) -> T {
        let text = std::mem::take(&mut self.text);
        let parsed = parser(&text);
        drop(SecretText::from(text));
        parsed
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Untrusted({} bytes of {:?})",
            self.text.len(),
            self.source
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_active_character_gets_through_in_either_sink() {
        let every: String = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
        for chunk in every.chars().collect::<Vec<_>>().chunks(900) {
            let text = Untrusted::new("peer", chunk.iter().collect::<String>());
            for (sink, stays) in [(Sink::Model, "\n\t"), (Sink::Line, "")] {
                let shown = text.render_for(sink);
                let active = shown.chars().find(|c| is_active(*c) && !stays.contains(*c));
                assert_eq!(active, None);
            }
        }
    }

    #[test]
    fn text_is_bounded_and_does_not_print_itself() {
        let text = Untrusted::new("peer", "x".repeat(100_000));
        assert_eq!(
            text.render_for(Sink::Line).chars().count(),
            LONGEST_LINE + 1
        );
        assert_eq!(format!("{text:?}"), "Untrusted(100000 bytes of \"peer\")");
        assert_eq!(
            (text.source(), text.len(), text.is_empty()),
            ("peer", 100_000, false)
        );
    }
}
