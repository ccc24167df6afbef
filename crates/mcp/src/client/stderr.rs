//! What a child writes to standard error: bounded, scrubbed, kept for whoever asks why it failed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;

use super::settings::ChildLog;
use super::untrusted::{Sink, Untrusted};

/// Bytes that are read; the rest is thrown away unread, so that the child never waits for us.
const LONGEST: usize = 256 * 1024;
/// Bytes of one line.
const LONGEST_LINE: usize = 4 * 1024;
/// Lines kept.
const KEPT: usize = 40;
/// A run of this many key characters may be a key.
const SHORTEST_KEY: usize = 20;

/// The last lines of one child.
#[derive(Debug)]
pub(super) struct Stderr {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: JoinHandle<()>,
}

impl Stderr {
    /// Reads `from` on the present runtime until it ends or this value is dropped.
    pub(super) fn read(
        name: &str,
        from: impl AsyncRead + Send + Unpin + 'static,
        log: Option<ChildLog>,
    ) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let name = name.to_owned();
        let reader = tokio::spawn(async move {
            collect(from, |line| {
                let shown = scrub(&Untrusted::new(&*name, line).render_for(Sink::Line));
                if let Some(log) = &log {
                    log(&name, &shown);
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(shown);
            })
            .await;
        });
        Self { lines, reader }
    }

    /// Returns the last lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn collect(mut from: impl AsyncRead + Unpin, mut line_ended: impl FnMut(String)) {
    let mut left = LONGEST;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        let read = buffer.get(..read).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        let considered = read.get(..read.len().min(left)).unwrap_or_default();
        left -= considered.len();
        for byte in considered {
            if *byte == b'\n' {
                line_ended(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            } else if line.len() < LONGEST_LINE {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        line_ended(String::from_utf8_lossy(&line).into_owned());
    }
}

/// Masks everything that has the form of a key or a token: a long run of their characters with
/// letters and digits mixed. Too much rather than too little; a log can spare a hash.
fn scrub(line: &str) -> String {
    let is_key = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let mixed =
            run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic());
        match run.len() >= SHORTEST_KEY && mixed {
            true => out.push_str("[masked]"),
            false => out.push_str(run),
        }
        let mut characters = after.chars();
        out.extend(characters.next());
        rest = characters.as_str();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_masked_and_words_are_not() {
        for (line, expected) in [
            ("started on port 8080", "started on port 8080"),
            (
                "key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY end",
                "[masked] end",
            ),
            ("id AKIAIOSFODNN7EXAMPLE.", "id [masked]."),
            ("/usr/lib/python3/dist-packages", "[masked]"),
            (
                "ModuleNotFoundError: no module",
                "ModuleNotFoundError: no module",
            ),
        ] {
            assert_eq!(scrub(line), expected);
        }
    }

    #[tokio::test]
    async fn lines_are_bounded_in_length_and_number() {
        let mut text = vec![b'a'; 2 * LONGEST_LINE];
        text.extend(b"\nsecond\x1b[2J\n");
        text.extend(b"b\n".repeat(LONGEST));
        let mut lines = Vec::new();
        collect(&text[..], |line| lines.push(line)).await;
        assert_eq!(lines[0].len(), LONGEST_LINE);
        assert_eq!(lines[1], "second\u{1b}[2J");
        assert!(lines.len() < LONGEST / 2);
    }
}
