//! Rust source as tokens, without comments, texts and what only tests see: enough for rules about
//! names, whatever the layout.

/// The tokens of a source: words, lifetimes, and every other sign by itself.
pub(super) fn tokens(source: &str) -> Vec<String> {
    without_tests(&lexed(source))
}

fn lexed(source: &str) -> Vec<String> {
    let letters: Vec<char> = source.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut tokens = Vec::new();
    let mut place = 0;
    while place < letters.len() {
        let letter = at(place);
        if letter == '/' && at(place + 1) == '/' {
            while place < letters.len() && at(place) != '\n' {
                place += 1;
            }
        } else if letter == '/' && at(place + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(place), at(place + 1)) {
                    ('/', '*') => (depth, place) = (depth + 1, place + 2),
                    ('*', '/') => (depth, place) = (depth - 1, place + 2),
                    _ => place += 1,
                }
                if depth == 0 || place >= letters.len() {
                    break;
                }
            }
        } else if let Some(end) = text_end(&letters, place) {
            tokens.push("\"\"".to_owned());
            place = end;
        } else if letter == '\'' {
            // A lifetime has no closing quote behind one letter; a character has.
            let escaped = at(place + 1) == '\\';
            if escaped || at(place + 2) == '\'' {
                place += if escaped { 3 } else { 2 };
                while place < letters.len() && at(place) != '\'' {
                    place += 1;
                }
                place += 1;
                tokens.push("''".to_owned());
            } else {
                let start = place;
                place += 1;
                while is_word(at(place)) {
                    place += 1;
                }
                tokens.push(letters[start..place].iter().collect());
            }
        } else if is_word(letter) {
            let start = place;
            while is_word(at(place)) {
                place += 1;
            }
            tokens.push(letters[start..place].iter().collect());
        } else {
            if !letter.is_whitespace() {
                tokens.push(letter.to_string());
            }
            place += 1;
        }
    }
    tokens
}

/// Where the text that begins here ends: `"…"`, `b"…"`, `r#"…"#` and their kin.
fn text_end(letters: &[char], start: usize) -> Option<usize> {
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let mut place = start;
    while "bcr".contains(at(place)) && place - start < 2 {
        place += 1;
    }
    let raw = place > start && at(place - 1) == 'r';
    let mut hashes = 0;
    while raw && at(place) == '#' {
        (hashes, place) = (hashes + 1, place + 1);
    }
    if at(place) != '"' {
        return None;
    }
    place += 1;
    while place < letters.len() {
        if at(place) == '\\' && !raw {
            place += 2;
        } else if at(place) == '"' && (1..=hashes).all(|more| at(place + more) == '#') {
            return Some(place + 1 + hashes);
        } else {
            place += 1;
        }
    }
    Some(place)
}

/// Takes out every item behind `#[cfg(test)]`, to its semicolon or its closing brace.
fn without_tests(all: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut place = 0;
    while place < all.len() {
        if !begins(&all[place..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            kept.push(all[place].clone());
            place += 1;
            continue;
        }
        place += 7;
        let mut depth = 0;
        while place < all.len() {
            let token = all[place].as_str();
            place += 1;
            match token {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (token == ";" || token == "}") {
                break;
            }
        }
    }
    kept
}

/// Whether a list of tokens begins with these.
pub(super) fn begins(tokens: &[String], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, word)| token == word)
}

#[test]
fn what_is_no_code_is_left_out() {
    let source = r##"
        // static A: u8 = 0;
        /* static B: /* nested */ u8 = 0; */
        const C: &'static str = "static D";
        const E: &str = r#"static F "quoted" "#;
        const G: char = '"'; const H: char = '\''; const I: &[u8] = b"static J";
        #[cfg(test)]
        mod tests { static K: u8 = 0; fn inner() { { } } }
        #[cfg(test)]
        mod more_tests;
        fn live<'a>(x: &'a u8) -> u8 { *x }
    "##;
    let tokens = tokens(source);
    assert!(!tokens.contains(&"static".to_owned()), "{tokens:?}");
    assert!(tokens.contains(&"'static".to_owned()));
    assert!(tokens.contains(&"live".to_owned()));
    assert!(!tokens.contains(&"more_tests".to_owned()));
}
