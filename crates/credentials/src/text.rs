//! Rendering of text that somebody else chose, for error messages.

/// Longest part of somebody else's text that an error repeats.
const EXCERPT_CHARS: usize = 80;

/// Cuts `text` to a length fit for one line and escapes everything that is not printable.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(EXCERPT_CHARS)
        .map(|c| {
            let printable = c.is_alphanumeric() || c.is_ascii_punctuation() || c == ' ';
            if printable { c } else { '\u{fffd}' }
        })
        .collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
