//! Characters that act, hide or turn instead of showing.

use std::borrow::Cow;

/// Whether a terminal, a model or an eye may take the character for something other than text:
/// control characters (and with them every escape and OSC sequence), line separators, characters
/// that turn the direction of writing, those that take no room, and Unicode tags.
#[must_use]
pub fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}'
                | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// Makes every active character visible; line breaks and tabs stay.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_but(text, |character| matches!(character, '\n' | '\t'))
}

/// The same for text that must stay on one line.
#[must_use]
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape_but(text, |_| false)
}

fn escape_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text
        .chars()
        .all(|character| stays(character) || !is_active(character))
    {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            kept if stays(kept) || !is_active(kept) => escaped.push(kept),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            active => escaped.extend(active.escape_unicode()),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_language_stays_as_it_is() {
        for text in ["api → healthy", "naïve Ünïcödé", "日本語 русский", "a\n\tb"]
        {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_would_be_acted_on_becomes_visible() {
        let cases = [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("over\rwritten", "over\\rwritten"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("\u{e0041}", "\\u{e0041}"),
        ];
        for (text, shown) in cases {
            assert_eq!(escape(text), shown);
        }
        assert_eq!(escape_line("two\nlines"), "two\\nlines");
    }

    #[test]
    fn no_character_gets_through_that_is_active() {
        for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let line = character.to_string();
            assert!(!escape_line(&line).chars().any(is_active), "{character:?}");
            let kept = |c: char| is_active(c) && c != '\n' && c != '\t';
            assert!(!escape(&line).chars().any(kept), "{character:?}");
        }
    }
}
