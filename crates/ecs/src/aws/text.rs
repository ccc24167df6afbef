//! Untrusted text made safe to keep, show and hand to a model.
//!
//! AWS returns words that anybody may have written: log lines, tag values, reasons that quote an
//! application. They are masked where they look like a secret, and every character that acts
//! instead of showing (control, bidirectional, invisible) is escaped.

use ecs_agent_untrusted::is_active;
use regex::{Captures, Regex};

/// What stands in place of a masked secret.
const MASK: &str = "[masked]";

/// Longest input that is looked at, in characters: patterns stay cheap whatever is logged.
const LONGEST_INPUT: usize = 16_384;

/// Longest log line that is kept, in characters.
const LONGEST_LINE: usize = 1_000;

/// Longest reason, event message or description that is kept, in characters.
const LONGEST_WORDS: usize = 2_000;

/// Shapes that are secrets wherever they appear; `$1` is kept in front of the mask.
const SHAPES: [&str; 9] = [
    r"(?s)()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    r"()\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b",
    r"()\b(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{40,}",
    r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@:]*:[^\s/@]+@",
    r"(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s\x22]+",
    r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{16,}",
    r"()\b(?:gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})",
    r"()\bsk[-_](?:[a-z]+[-_])?[A-Za-z0-9]{20,}",
];

/// `password=…` and its kin. Only for log lines: AWS's own messages say `token: AccessDenied`.
const LABELLED: &str = concat!(
    r"(?i)([a-z0-9_.-]*(?:secret|passw(?:or)?d|passphrase|pwd|token|api[_-]?key|access[_-]?key",
    r"|private[_-]?key|credentials?|connection[_-]?string)[a-z0-9_-]*[\x22']?\s*[:=]\s*[\x22']?)",
    r"([^\s\x22',;&]{4,})",
);

/// Long opaque words: keys and encoded blobs. Digests in hexadecimal are not secret.
const OPAQUE: &str = r"[A-Za-z0-9+/_-]{40,}={0,2}";

/// Masks and escapes untrusted text.
///
/// It holds compiled patterns, so make one and keep it; [`AwsClients`](crate::AwsClients) has one.
#[derive(Debug)]
pub struct TextCleaner {
    shapes: Vec<Regex>,
    labelled: Regex,
    opaque: Regex,
}

impl TextCleaner {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// When a pattern is not a regular expression, which a test rules out.
    pub fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            shapes: SHAPES
                .iter()
                .map(|shape| Regex::new(shape))
                .collect::<Result<_, _>>()?,
            labelled: Regex::new(LABELLED)?,
            opaque: Regex::new(OPAQUE)?,
        })
    }

    /// Cleans a log line: every pattern applies.
    #[must_use]
    pub fn log_line(&self, text: &str) -> String {
        let mut text = self.mask_shapes(&head(text, LONGEST_INPUT));
        text = self
            .labelled
            .replace_all(&text, |found: &Captures<'_>| {
                let (label, value) = (part(found, 1), part(found, 2));
                if value.starts_with("arn:") {
                    format!("{label}{value}")
                } else {
                    format!("{label}{MASK}")
                }
            })
            .into_owned();
        text = self
            .opaque
            .replace_all(&text, |found: &Captures<'_>| {
                let word = part(found, 0);
                if is_opaque(word) {
                    MASK.to_owned()
                } else {
                    word.to_owned()
                }
            })
            .into_owned();
        capped(&escape(text.trim_end()), LONGEST_LINE)
    }

    /// Cleans AWS's own words (a reason, an event, an error), which may quote others.
    #[must_use]
    pub fn words(&self, text: &str) -> String {
        let text = self.mask_shapes(&head(text, LONGEST_INPUT));
        capped(&escape(&text), LONGEST_WORDS)
    }

    fn mask_shapes(&self, text: &str) -> String {
        self.shapes.iter().fold(text.to_owned(), |text, shape| {
            let keep_host = shape.as_str().ends_with('@');
            shape
                .replace_all(&text, |found: &Captures<'_>| {
                    let at = if keep_host { "@" } else { "" };
                    format!("{}{MASK}{at}", part(found, 1))
                })
                .into_owned()
        })
    }
}

fn part<'t>(found: &Captures<'t>, index: usize) -> &'t str {
    found.get(index).map_or("", |part| part.as_str())
}

/// A word that mixes cases and digits is a key or an encoded blob; paths, host names, UUIDs and
/// hexadecimal digests do not.
fn is_opaque(word: &str) -> bool {
    let has = |class: fn(&u8) -> bool| word.as_bytes().iter().any(class);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

fn head(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

fn capped(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    // The marker stays inside the limit, so that cleaning twice changes nothing.
    let kept = limit.saturating_sub(40);
    format!("{}… [{} more characters]", head(text, kept), length - kept)
}

/// Writes every character that acts instead of showing as `\u{…}`.
fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push(' '),
            c if is_active(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaner() -> TextCleaner {
        TextCleaner::new().unwrap()
    }

    #[test]
    fn secrets_in_log_lines_are_masked() {
        let secret = format!("{}/{}", "wJalrXUtnFEMI/K7MDENG", "bPxRfiCYEXAMPLEKEY");
        for (line, kept) in [
            (
                "key AKIAIOSFODNN7EXAMPLE used".to_owned(),
                "key [masked] used",
            ),
            (format!("trying {secret} now"), "trying [masked] now"),
            (
                "DB_PASSWORD=hunter22 ok".to_owned(),
                "DB_PASSWORD=[masked] ok",
            ),
            (
                r#"{"apiKey": "abcd1234"}"#.to_owned(),
                r#"{"apiKey": "[masked]"}"#,
            ),
            (
                "postgres://app:pw@db:5432/x".to_owned(),
                "postgres://[masked]@db:5432/x",
            ),
            (
                "Authorization: Bearer abcdefghijklmnop.q".to_owned(),
                "Authorization: Bearer [masked]",
            ),
            (
                "jwt eyJhbGciOiJI.eyJzdWIiOiIx.sig_ here".to_owned(),
                "jwt [masked] here",
            ),
            (
                "GET /x?X-Amz-Signature=00ff&a=1".to_owned(),
                "GET /x?X-Amz-Signature=[masked]&a=1",
            ),
        ] {
            assert_eq!(cleaner().log_line(&line), kept);
        }
    }

    #[test]
    fn what_a_diagnosis_needs_is_kept() {
        for line in [
            "pulled sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
            "java.lang.OutOfMemoryError: Java heap space",
            "connect ECONNREFUSED 10.0.1.5:5432",
        ] {
            assert_eq!(cleaner().log_line(line), line);
        }
        let words = "failed to get authorization token: AccessDeniedException: not authorized";
        assert_eq!(cleaner().words(words), words);
    }

    #[test]
    fn a_private_key_is_masked_whole() {
        let pem = "x -----BEGIN RSA PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA PRIVATE KEY----- y";
        assert_eq!(cleaner().words(pem), "x [masked] y");
    }

    #[test]
    fn characters_that_act_are_escaped() {
        assert_eq!(
            cleaner().words("a\u{1b}[31m\u{202e}b\u{e0041}\nc"),
            "a\\u{1b}[31m\\u{202e}b\\u{e0041}\\nc"
        );
    }

    #[test]
    fn long_text_is_capped_and_says_so() {
        let line = cleaner().log_line(&"ab ".repeat(1_000));
        assert!(line.chars().count() <= LONGEST_LINE);
        assert!(line.ends_with("more characters]"), "{line}");
    }

    proptest! {
        #[test]
        fn cleaning_is_idempotent_and_leaves_nothing_active(text in "\\PC{0,80}|.{0,80}") {
            let cleaner = cleaner();
            let once = cleaner.words(&text);
            prop_assert!(!once.chars().any(is_active));
            prop_assert_eq!(cleaner.words(&once), once);
        }
    }
}
