//! Lines that end between words, with what follows them indented.

use console::measure_text_width;

/// Breaks a line into lines of at most `width` columns; all but the first begin with `indent`
/// spaces. Colours count nothing. A word that is too long for a line of its own stays whole, so
/// that an ARN can still be copied.
pub(crate) fn wrap(line: &str, width: u16, indent: usize) -> String {
    let width = usize::from(width);
    if measure_text_width(line) <= width {
        return line.to_owned();
    }
    let lead = line.len() - line.trim_start_matches(' ').len();
    let (lead, text) = line.split_at(lead);
    let mut wrapped = lead.to_owned();
    let mut column = lead.len();
    let mut starts = true;
    for word in text.split(' ') {
        let wide = measure_text_width(word);
        if !starts && column + 1 + wide > width {
            while wrapped.ends_with(' ') {
                wrapped.pop();
            }
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
            starts = true;
        }
        if !starts {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += wide;
        // Spaces that line words up are kept, unless a line begins with them.
        starts = starts && word.is_empty();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_long_words_stay_whole() {
        let cases = [
            ("short", 10, 2, "short"),
            ("one two three", 8, 2, "one two\n  three"),
            ("  a b c d e f", 6, 4, "  a b\n    c\n    d\n    e\n    f"),
            (
                "see arn:aws:ecs:eu-west-1 there",
                10,
                0,
                "see\narn:aws:ecs:eu-west-1\nthere",
            ),
            ("  why          it fails", 16, 4, "  why\n    it fails"),
        ];
        for (line, width, indent, expected) in cases {
            assert_eq!(wrap(line, width, indent), expected, "{line}");
        }
        let painted = "\u{1b}[31mred\u{1b}[0m word";
        assert_eq!(wrap(painted, 8, 0), painted);
    }
}
