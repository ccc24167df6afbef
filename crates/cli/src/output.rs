//! Where the program writes: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use ecs_agent_credentials::{LeakBlocked, LeakGuard, Sink};
use serde::Serialize;

use crate::args::Format;
use crate::error::CliError;
use crate::render::{Meaning, Palette, escape_line, terminal_document, wrap};

/// Widest that text is laid out for reading.
const WIDEST: u16 = 110;

/// Standard output and standard error, with the form that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: Format,
    guard: Arc<LeakGuard>,
}

impl Output {
    pub(crate) const fn new(format: Format, guard: Arc<LeakGuard>) -> Self {
        Self { format, guard }
    }

    /// The guard that sees everything written here; the program's one.
    pub(crate) const fn leak_guard(&self) -> &Arc<LeakGuard> {
        &self.guard
    }

    /// The text, or what stands in its place when it holds a secret.
    pub(crate) fn or_notice<'t>(&self, sink: Sink, text: &'t str) -> &'t str {
        match self.guard.inspect(sink, text.as_bytes()) {
            Ok(()) => text,
            Err(_blocked) => LeakBlocked::NOTICE,
        }
    }

    /// The same with JSON instead, when a command's own flag asks for that.
    pub(crate) fn or_json(&self, json: bool) -> Self {
        Self {
            format: if json { Format::Json } else { self.format },
            guard: Arc::clone(&self.guard),
        }
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Whether a person can be asked: they must be able to read the question and to type.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Writes text to standard output, as it is.
    pub(crate) fn text(&self, text: &str) {
        self.text_to(&mut io::stdout().lock(), text);
    }

    fn text_to(&self, stdout: &mut impl Write, text: &str) {
        let text = self.or_notice(Sink::Stdout, text);
        // Whoever closes the pipe has read enough.
        let _closed = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
    }

    /// Writes JSON to standard output.
    pub(crate) fn json(&self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        // JSON escapes C0 controls; the other active characters are escaped here.
        self.text(&format!("{}\n", json_safe(&text)));
    }

    /// Writes a Markdown document to standard output: as it is, or laid out for a terminal.
    pub(crate) fn document(&self, markdown: &str) {
        match self.format {
            Format::Markdown => self.text(&crate::render::escape(markdown)),
            Format::Terminal => {
                self.text(&terminal_document(markdown, Palette::of_stdout(), width()));
            }
            Format::Json => self.json(&serde_json::json!({ "report": markdown })),
        }
    }

    /// Writes one line to standard error, escaped.
    pub(crate) fn remark(&self, text: &str) {
        self.remark_as_is(&wrap(&escape_line(text), remark_width(), 0));
    }

    /// Writes one line to standard error; the caller has escaped what came from outside.
    pub(crate) fn remark_as_is(&self, text: &str) {
        self.remark_to(&mut io::stderr().lock(), text);
    }

    fn remark_to(&self, stderr: &mut impl Write, text: &str) {
        let _closed = writeln!(stderr, "{}", self.or_notice(Sink::Stderr, text));
    }

    /// Writes an error with its causes and what to do next.
    pub(crate) fn error(&self, error: &CliError) {
        let palette = Palette::of_stderr();
        let label = palette.paint(Meaning::Bad, "error:");
        // One line, however long: scripts look for it.
        self.remark_as_is(&format!("{label} {}", escape_line(&chain(error))));
        if let Some(next) = error.next() {
            let label = palette.paint(Meaning::Heading, "next:");
            self.remark_as_is(&format!("{label}  {}", escape_line(&next)));
        }
    }
}

/// An error and its causes, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A wrapper that is transparent says what its cause says.
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// The width that results are laid out for.
fn width() -> u16 {
    width_of(&console::Term::stdout())
}

/// The width that progress, plans and remarks are laid out for.
pub(crate) fn remark_width() -> u16 {
    width_of(&console::Term::stderr())
}

fn width_of(terminal: &console::Term) -> u16 {
    terminal
        .size_checked()
        .map_or(100, |(_, columns)| columns)
        .min(WIDEST)
}

fn json_safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let mut bytes = [0; 4];
        let one = character.encode_utf8(&mut bytes);
        if matches!(character, '\n') || *escape_line(one) == *one {
            safe.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_carries_no_active_character() {
        let value = serde_json::json!({"log": "a\u{1b}[2J\u{202e}b\u{e0041}\nc"});
        let text = json_safe(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains('\u{202e}') && !text.contains('\u{e0041}'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let io = io::Error::other("disk full");
        let error = CliError::Runtime(io);
        assert_eq!(chain(&error).matches("disk full").count(), 1);
    }

    #[test]
    fn a_secret_reaches_neither_standard_output_nor_standard_error() {
        use ecs_agent_credentials::{
            CredentialContext, Endpoints, InvocationId, SecretText, Sources, StaticCredentials,
        };

        // AWS's documented example.
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let guard = LeakGuard::new();
        let output = Output::new(Format::Json, Arc::clone(&guard));
        let written = |secret: &str| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            output.text_to(&mut out, &format!("{{\"key\": \"{secret}\"}}"));
            output.remark_to(&mut err, &format!("error: {secret}"));
            [out, err].map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert!(written(secret).iter().all(|text| text.contains(secret)));

        let invocation = InvocationId::new(uuid::Uuid::now_v7());
        let context =
            CredentialContext::guarded(invocation, None, Endpoints::Aws, Arc::clone(&guard));
        let text = SecretText::from(secret.to_owned());
        let keys = StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", text, None, None).unwrap();
        let sources = Sources::builder().with_static("given", keys).build();
        let sources = sources.watched_by(&context);
        for text in written(secret) {
            assert!(
                text.contains(LeakBlocked::NOTICE) && !text.contains(secret),
                "{text}"
            );
        }
        assert_eq!(
            (guard.hits_at(Sink::Stdout), guard.hits_at(Sink::Stderr)),
            (1, 1)
        );
        assert!(
            written("ordinary")
                .iter()
                .all(|text| text.contains("ordinary"))
        );
        drop(sources);
    }
}
