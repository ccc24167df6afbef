//! The forms that a secret may take on its way out, and how each spells a canary.
//!
//! A form spells the whole canary once for every alignment it can have. `shortest` says how many
//! bytes of the spelling any twelve characters of the canary fix, whatever stands around them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest as _, Sha256};

use crate::canary::{Canary, Value, WINDOW};

/// How a canary was written where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say what they are")]
#[non_exhaustive]
pub enum Form {
    Raw,
    Reversed,
    Upper,
    Lower,
    Rot13,
    Hex,
    Base64,
    Base64Twice,
    Base32,
    Percent,
    Json,
    Xml,
    Shell,
    RustDebug,
    ByteList,
    Utf16Le,
    Utf16Be,
    Sha256,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 18] = [
        Self::Raw,
        Self::Reversed,
        Self::Upper,
        Self::Lower,
        Self::Rot13,
        Self::Hex,
        Self::Base64,
        Self::Base64Twice,
        Self::Base32,
        Self::Percent,
        Self::Json,
        Self::Xml,
        Self::Shell,
        Self::RustDebug,
        Self::ByteList,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::Sha256,
    ];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Reversed => "reversed",
            Self::Upper => "in upper case",
            Self::Lower => "in lower case",
            Self::Rot13 => "ROT13",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Twice => "base64 twice",
            Self::Base32 => "base32",
            Self::Percent => "percent-encoded",
            Self::Json => "JSON-escaped",
            Self::Xml => "XML-escaped",
            Self::Shell => "shell-escaped",
            Self::RustDebug => "Debug-escaped",
            Self::ByteList => "a list of bytes",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Sha256 => "SHA-256",
        })
    }
}

/// A whole canary as one form writes it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub(crate) form: Form,
    pub(crate) bytes: Vec<u8>,
    /// The fewest bytes that any twelve characters of the canary are spelled with.
    pub(crate) shortest: usize,
}

/// Lists every spelling of a canary, the plainest form first, none twice.
pub(crate) fn spellings(canary: &Canary) -> Vec<Spelling> {
    let mut all = Vec::new();
    match &canary.value {
        Value::Text(text) => {
            let bytes = text.as_bytes();
            bytewise(bytes, &mut all);
            in_letters(text, &mut all);
            escaped(text, &mut all);
            for case in [bytes.to_vec(), bytes.to_ascii_lowercase()] {
                hashed(&case, &mut all);
            }
        }
        Value::Binary(bytes) => {
            bytewise(bytes, &mut all);
            hashed(bytes, &mut all);
        }
    }
    let mut unique: Vec<Spelling> = Vec::with_capacity(all.len());
    for spelling in all {
        if !unique.iter().any(|known| known.bytes == spelling.bytes) {
            unique.push(spelling);
        }
    }
    unique
}

/// The forms that any bytes can take.
fn bytewise(bytes: &[u8], all: &mut Vec<Spelling>) {
    let mut add = |form, bytes: Vec<u8>, shortest| {
        all.push(Spelling {
            form,
            bytes,
            shortest,
        });
    };
    add(Form::Raw, bytes.to_vec(), WINDOW);
    add(
        Form::Reversed,
        bytes.iter().rev().copied().collect(),
        WINDOW,
    );
    add(Form::Hex, hex::encode(bytes).into_bytes(), 2 * WINDOW);
    add(Form::Hex, hex::encode_upper(bytes).into_bytes(), 2 * WINDOW);
    // Twelve numbers of one digit at least, and what stands between them.
    add(Form::ByteList, numbers(bytes), WINDOW + 2 * (WINDOW - 1));
    for once in base64_all(bytes) {
        for twice in base64_all(&once) {
            // Twelve characters fix 15 of the first round, and these 19 of the second.
            add(Form::Base64Twice, twice, 19);
        }
        add(Form::Base64, once, 15);
    }
    for shift in 0..5 {
        let upper = base32(bytes, shift);
        let lower = upper.to_ascii_lowercase();
        add(Form::Base32, upper, 18);
        add(Form::Base32, lower, 18);
    }
}

fn in_letters(text: &str, all: &mut Vec<Spelling>) {
    let bytes = text.as_bytes();
    let wide = |place| {
        let mut wide = vec![0; bytes.len() * 2];
        for (to, from) in wide.iter_mut().skip(place).step_by(2).zip(bytes) {
            *to = *from;
        }
        wide
    };
    let forms = [
        (Form::Upper, bytes.to_ascii_uppercase(), WINDOW),
        (Form::Lower, bytes.to_ascii_lowercase(), WINDOW),
        (Form::Rot13, rot13(bytes), WINDOW),
        (Form::Utf16Le, wide(0), 2 * WINDOW - 1),
        (Form::Utf16Be, wide(1), 2 * WINDOW - 1),
    ];
    all.extend(forms.map(|(form, bytes, shortest)| Spelling {
        form,
        bytes,
        shortest,
    }));
}

/// Which characters an escaping spells out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Only those that are neither letters nor digits.
    Special,
    /// Every one, as a careful or a hostile writer does.
    Every,
}

/// The escapings: each for special characters alone, and for every character.
fn escaped(text: &str, all: &mut Vec<Spelling>) {
    type Escape = fn(char) -> String;
    const ESCAPINGS: [(Form, Escape); 17] = [
        (Form::Percent, |c| {
            percent_encode(c.to_string().as_bytes(), NON_ALPHANUMERIC).to_string()
        }),
        (Form::Percent, |c| format!("%{:02X}", u32::from(c))),
        (Form::Percent, |c| format!("%{:02x}", u32::from(c))),
        (Form::Percent, |c| format!("%25{:02X}", u32::from(c))),
        (Form::Json, |c| format!("\\{c}")),
        (Form::Json, |c| format!("\\\\{c}")),
        (Form::Json, |c| format!("\\u{:04x}", u32::from(c))),
        (Form::Json, |c| format!("\\u{:04X}", u32::from(c))),
        (Form::Xml, |c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            plain => plain.to_string(),
        }),
        (Form::Xml, |c| format!("&#{};", u32::from(c))),
        (Form::Xml, |c| format!("&#x{:x};", u32::from(c))),
        (Form::Xml, |c| format!("&#x{:X};", u32::from(c))),
        (Form::Shell, |c| format!("\\x{:02x}", u32::from(c))),
        (Form::Shell, |c| format!("\\x{:02X}", u32::from(c))),
        (Form::Shell, |c| format!("\\{:03o}", u32::from(c))),
        (Form::RustDebug, |c| c.escape_unicode().to_string()),
        (Form::RustDebug, |c| c.escape_debug().to_string()),
    ];
    for (form, escape) in ESCAPINGS {
        for which in [Which::Special, Which::Every] {
            let pieces: Vec<String> = text
                .chars()
                .map(|c| match which {
                    Which::Special if c.is_ascii_alphanumeric() => c.to_string(),
                    Which::Special | Which::Every => escape(c),
                })
                .collect();
            let shortest = pieces
                .windows(WINDOW)
                .map(|window| window.iter().map(String::len).sum())
                .min();
            all.push(Spelling {
                form,
                bytes: pieces.concat().into_bytes(),
                shortest: shortest.unwrap_or(WINDOW),
            });
        }
    }
}

/// The unsalted digest, which is found whole or in twelve bytes of it.
fn hashed(bytes: &[u8], all: &mut Vec<Spelling>) {
    let mut of_digest = Vec::new();
    bytewise(&Sha256::digest(bytes), &mut of_digest);
    all.extend(of_digest.into_iter().map(|spelling| Spelling {
        form: Form::Sha256,
        ..spelling
    }));
}

/// Both alphabets, at the three places in a group of three where the bytes may begin. Characters
/// that also hold bits of a neighbour are left out.
fn base64_all(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::with_capacity(6);
    for shift in 0..3 {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(bytes);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded).into_bytes();
            let from = (shift * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            all.push(text.get(from..to).unwrap_or_default().to_vec());
        }
    }
    all
}

/// RFC 4648 base32 without padding, `shift` bytes into a group of five.
fn base32(bytes: &[u8], shift: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = std::iter::repeat_n(&0, shift)
        .chain(bytes)
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let letters = bits.chunks_exact(5).map(|five| {
        let value = five.iter().fold(0, |value, bit| value << 1 | bit);
        ALPHABET.get(usize::from(value)).copied().unwrap_or(b'A')
    });
    letters.skip((shift * 8).div_ceil(5)).collect()
}

fn rot13(bytes: &[u8]) -> Vec<u8> {
    let turn = |byte: &u8| match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        other => *other,
    };
    bytes.iter().map(turn).collect()
}

/// `119, 74, 97`, as `Debug` writes a byte string's elements.
fn numbers(bytes: &[u8]) -> Vec<u8> {
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    numbers.join(", ").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"foobar", 0), b"MZXW6YTBO");
        // One byte into a group: the first letter that is wholly ours is the third.
        assert_eq!(base32(b"oobar", 1), b"XW6YTBO"[..].to_vec());
    }

    #[test]
    fn base64_at_each_place_leaves_out_shared_characters() {
        let all = base64_all(b"any carnal pleas");
        assert_eq!(all[0], b"YW55IGNhcm5hbCBwbGVhc");
        let inner = STANDARD_NO_PAD.encode(b"xany carnal pleasx");
        assert!(inner.contains(std::str::from_utf8(&all[2]).unwrap()));
        let inner = STANDARD_NO_PAD.encode(b"xyany carnal pleasx");
        assert!(inner.contains(std::str::from_utf8(&all[4]).unwrap()));
    }

    #[test]
    fn no_two_spellings_are_equal() {
        let canary = Canary::text("a", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").unwrap();
        let all = spellings(&canary);
        let mut unique: Vec<&[u8]> = all.iter().map(|s| s.bytes.as_slice()).collect();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
        for form in Form::ALL {
            let count = all.iter().filter(|s| s.form == form).count();
            assert!(count > 0, "{form} has no spelling");
        }
    }
}
