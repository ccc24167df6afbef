//! The forms in which a secret may turn up: as it is, and as programs write it without thinking.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use zeroize::Zeroizing;

/// What session tokens and web identity tokens begin with is the same for many of them.
const COMMON_START: usize = 64;

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, NO_PAD);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD);

/// A secret in one form.
pub(crate) struct Form {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Bytes from one remembered window to the next. The secret itself is remembered at each byte.
    /// A form is longer than the secret, so with 8 it is found in 23 bytes of it that follow each
    /// other, about what 16 bytes of the secret become.
    pub(crate) stride: usize,
}

/// Lists the forms of a secret.
pub(crate) fn forms(secret: &[u8]) -> Vec<Form> {
    let own = match secret.len() {
        0..128 => secret,
        // INVARIANT: it is longer than what is left out.
        _ => secret.get(COMMON_START..).unwrap_or(secret),
    };
    let mut forms = Vec::with_capacity(64);
    let mut add = |stride: usize, bytes: Vec<u8>| {
        let bytes = Zeroizing::new(bytes);
        forms.push(Form { bytes, stride });
    };
    add(1, own.to_vec());
    add(1, own.iter().rev().copied().collect());
    add(1, own.to_ascii_uppercase());
    add(1, own.to_ascii_lowercase());
    add(8, hex::encode(own).into_bytes());
    add(8, hex::encode_upper(own).into_bytes());
    add(8, own.iter().flat_map(|byte| [*byte, 0]).collect());
    add(8, own.iter().flat_map(|byte| [0, *byte]).collect());
    add(8, percent(own, b"0123456789ABCDEF"));
    add(8, percent(own, b"0123456789abcdef"));
    for slash in [false, true] {
        let once = Zeroizing::new(escaped(own, slash));
        add(8, escaped(&once, slash));
        add(8, once.to_vec());
    }
    for separator in [", ", ","] {
        add(16, decimal(own, separator));
    }
    for alphabet in [&STANDARD, &URL] {
        for once in base64(alphabet, own) {
            for twice in base64(alphabet, &once) {
                add(16, twice.to_vec());
            }
            add(8, once.to_vec());
        }
    }
    forms
}

/// Base64 at each of the three places of a three-byte group where the secret may begin, without
/// the characters that hold bits of its neighbours.
fn base64(engine: &GeneralPurpose, bytes: &[u8]) -> [Zeroizing<Vec<u8>>; 3] {
    [(0, 0), (1, 2), (2, 3)].map(|(before, shared)| {
        let mut input = Zeroizing::new(Vec::with_capacity(before + bytes.len()));
        input.resize(before, 0);
        input.extend_from_slice(bytes);
        let text = Zeroizing::new(engine.encode(input.as_slice()).into_bytes());
        let whole = match input.len() % 3 {
            0 => text.len(),
            _ => text.len().saturating_sub(1),
        };
        Zeroizing::new(text.get(shared..whole).unwrap_or_default().to_vec())
    })
}

/// As in a URL: everything but RFC 3986's unreserved characters.
fn percent(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(3 * bytes.len());
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            text.push(*byte);
        } else {
            text.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    text
}

/// As in a JSON string, a shell's double quotes or Rust's `Debug`; some writers escape `/` as well.
fn escaped(bytes: &[u8], slash: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') || (slash && *byte == b'/') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text
}

/// As Rust's `Debug` and JSON write a list of bytes.
fn decimal(bytes: &[u8], separator: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(5 * bytes.len());
    for byte in bytes {
        text.extend_from_slice(byte.to_string().as_bytes());
        text.extend_from_slice(separator.as_bytes());
    }
    text
}
