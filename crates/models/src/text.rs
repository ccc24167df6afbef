//! What a provider says, made fit for an error.

/// Most characters of a provider's words in an error.
const MOST: usize = 300;

/// The words in one line, without control characters, cut to a length.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > MOST {
        line = line.chars().take(MOST).collect::<String>() + " …";
    }
    line
}
