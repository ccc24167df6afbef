//! Every form of 7.1, planted and found: whole, and any twelve characters of it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use ecs_agent_canaries::{Canary, Form, Scanner, WINDOW};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::noise::{noise, secret};

/// Writes a text so that only its own characters count, whatever stands around it.
type Write = fn(&str) -> Vec<u8>;

/// How a text can be written in the middle of other bytes.
const WRITTEN: [(&str, Form, Write); 34] = [
    ("raw", Form::Raw, |t| t.into()),
    ("reversed", Form::Reversed, |t| {
        t.chars().rev().collect::<String>().into()
    }),
    ("upper", Form::Upper, |t| t.to_ascii_uppercase().into()),
    ("lower", Form::Lower, |t| t.to_ascii_lowercase().into()),
    ("ROT13", Form::Rot13, |t| {
        let turn = |from: u8, c: u8| (c - from + 13) % 26 + from;
        t.bytes()
            .map(|c| match c {
                b'a'..=b'z' => turn(b'a', c),
                b'A'..=b'Z' => turn(b'A', c),
                other => other,
            })
            .collect()
    }),
    ("hex", Form::Hex, |t| hex::encode(t).into()),
    ("HEX", Form::Hex, |t| hex::encode_upper(t).into()),
    ("hex dump", Form::Hex, |t| {
        let pairs: Vec<String> = t.bytes().map(|b| format!("{b:02x}")).collect();
        pairs.join(" ").into()
    }),
    ("hex with colons", Form::Hex, |t| {
        let pairs: Vec<String> = t.bytes().map(|b| format!("{b:02X}")).collect();
        pairs.join(":").into()
    }),
    ("percent", Form::Percent, |t| {
        let t = format!("+{t}/");
        utf8_percent_encode(&t, NON_ALPHANUMERIC).to_string().into()
    }),
    ("percent, every character", Form::Percent, |t| {
        each(t, |b| format!("%{b:02X}"))
    }),
    ("percent twice", Form::Percent, |t| {
        each(t, |b| format!("%25{b:02X}"))
    }),
    ("JSON", Form::Json, |t| t.replace('/', "\\/").into()),
    ("JSON, every character", Form::Json, |t| {
        each(t, |b| format!("\\u{b:04x}"))
    }),
    ("XML", Form::Xml, |t| {
        let special = |c: char| match c {
            '+' | '/' | '=' => format!("&#x{:X};", u32::from(c)),
            c => c.to_string(),
        };
        t.chars().map(special).collect::<String>().into()
    }),
    ("XML, every character", Form::Xml, |t| {
        each(t, |b| format!("&#{b};"))
    }),
    ("shell", Form::Json, |t| {
        t.replace('+', "\\+").replace('/', "\\/").into()
    }),
    ("shell, every character", Form::Shell, |t| {
        each(t, |b| format!("\\x{b:02x}"))
    }),
    ("shell, octal", Form::Shell, |t| {
        each(t, |b| format!("\\{b:03o}"))
    }),
    ("Debug, every character", Form::RustDebug, |t| {
        t.escape_unicode().to_string().into()
    }),
    ("Debug of bytes", Form::ByteList, |t| {
        format!("{:?}", t.as_bytes()).into()
    }),
    ("Debug of bytes on lines", Form::ByteList, |t| {
        format!("{:#?}", t.as_bytes()).into()
    }),
    ("Debug of characters", Form::Raw, |t| {
        format!("{:?}", t.chars().collect::<Vec<_>>()).into()
    }),
    ("UTF-16LE", Form::Utf16Le, |t| {
        t.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }),
    ("UTF-16BE", Form::Utf16Be, |t| {
        t.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }),
    ("base64", Form::Base64, |t| STANDARD.encode(t).into()),
    ("base64, one in", Form::Base64, |t| {
        STANDARD.encode(format!("\u{1}{t}\u{1}")).into()
    }),
    ("base64, two in", Form::Base64, |t| {
        STANDARD.encode(format!("\u{1}\u{1}{t}\u{1}")).into()
    }),
    ("base64 for URLs", Form::Base64, |t| {
        URL_SAFE_NO_PAD.encode(format!("ä{t}ö")).into()
    }),
    ("base64 on lines", Form::Base64, |t| {
        let text = STANDARD.encode(format!("{{{t}}}"));
        let lines: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
        lines.join(&b"\r\n"[..])
    }),
    ("base64 twice", Form::Base64Twice, |t| {
        STANDARD.encode(STANDARD.encode(format!("{{{t}}}"))).into()
    }),
    ("base64 twice, for URLs", Form::Base64Twice, |t| {
        URL_SAFE
            .encode(format!("a={}", STANDARD.encode(format!("..{t}..."))))
            .into()
    }),
    ("base32", Form::Base32, |t| base32(t)),
    ("base32, one in", Form::Base32, |t| {
        base32(&format!("<{t}>")).to_ascii_lowercase()
    }),
];

/// What is put between the characters of a secret to get it past a filter.
const SEPARATED: [&str; 6] = [" ", "\n", "-", ",", "\r\n\t", ", -"];

fn each(text: &str, write: fn(u8) -> String) -> Vec<u8> {
    text.bytes().flat_map(|b| write(b).into_bytes()).collect()
}

/// By the arithmetic of RFC 4648, unlike the table that is under test.
fn base32(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for five in text.as_bytes().chunks(5) {
        let mut group = [0_u8; 8];
        group[3..3 + five.len()].copy_from_slice(five);
        let bits = u64::from_be_bytes(group);
        for letter in 0..(five.len() * 8).div_ceil(5) {
            let value = (bits >> (35 - 5 * letter)) as u8 & 31;
            out.push(if value < 26 {
                b'A' + value
            } else {
                b'2' + value - 26
            });
        }
    }
    out
}

fn packed(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(content).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(content).unwrap();
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(content).unwrap();
    let deflate = deflate.finish().unwrap();
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22)
        .write_all(content)
        .unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(content, level);
    let zip = zip_of(&deflate, content.len());
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("zlib", zlib.finish().unwrap()),
        ("deflate", deflate),
        ("brotli", brotli),
        ("zstd", zstd),
        ("zip", zip),
    ]
}

/// A zip archive's first member, as APPNOTE 4.3.7 has it; the directory at its end is not read.
fn zip_of(deflated: &[u8], length: usize) -> Vec<u8> {
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    zip.extend(u32::try_from(deflated.len()).unwrap().to_le_bytes());
    zip.extend(u32::try_from(length).unwrap().to_le_bytes());
    zip.extend(b"\x07\0\x02\0log.txt\0\0");
    zip.extend(deflated);
    zip
}

fn scanner_of(value: &str) -> Scanner {
    Scanner::new([Canary::text("the canary", value).unwrap()])
}

/// The bytes in the middle of noise.
fn in_noise(bytes: &[u8]) -> Vec<u8> {
    [noise("before", 1000), bytes.to_vec(), noise("after", 1000)].concat()
}

#[test]
fn every_form_of_a_whole_secret_is_found_and_named() {
    let (key, token) = (secret("key", 40), secret("token", 640));
    for value in [&key, &token] {
        assert!(value.contains(['+', '/']), "{value}: choose another seed");
        let scanner = scanner_of(value);
        for (name, form, write) in WRITTEN {
            let findings = scanner.bytes(name, &in_noise(&write(value)));
            let forms: Vec<Form> = findings.hits.iter().map(|hit| hit.form).collect();
            assert!(forms.contains(&form), "{name}: {findings}");
        }
        for separator in SEPARATED {
            let letters: Vec<String> = value.chars().map(String::from).collect();
            let findings = scanner.bytes(separator, &in_noise(letters.join(separator).as_bytes()));
            assert!(!findings.is_clean(), "{separator:?}");
        }
        let digest = Sha256::digest(value.as_bytes());
        let forms = [
            digest.to_vec(),
            hex::encode(digest).into(),
            STANDARD.encode(digest).into(),
        ];
        for digest in forms {
            let findings = scanner.bytes("digest", &in_noise(&digest));
            assert_eq!(findings.hits[0].form, Form::Sha256, "{findings}");
        }
    }
}

#[test]
fn packed_secrets_are_found_in_whatever_they_are_packed() {
    let value = secret("packed", 40);
    let scanner = scanner_of(&value);
    // The content does not shrink, so that the secret stands in it in pieces as well as whole.
    let content = [
        &secret("text", 3000).into_bytes(),
        value.as_bytes(),
        b" end of it",
    ]
    .concat();
    let mut found = Vec::new();
    for (name, bytes) in packed(&content) {
        let findings = scanner.bytes(name, &bytes);
        assert!(
            findings.hits.iter().any(|hit| hit.place.contains(name)),
            "{name}: {findings}"
        );
        // Brotli and bare deflate have no mark by which they could be found in the middle.
        if !matches!(name, "brotli" | "deflate") {
            let findings = scanner.bytes(name, &in_noise(&bytes));
            assert!(!findings.is_clean(), "{name} in noise: {findings}");
        }
        for (outer, twice) in packed(&bytes) {
            let findings = scanner.bytes(name, &twice);
            let inner_has_mark = !matches!(name, "brotli" | "deflate");
            assert!(
                !findings.is_clean() || !inner_has_mark,
                "{name} in {outer}: {findings}"
            );
        }
        found.push(name);
    }
    assert_eq!(found.len(), 6);
}

#[test]
fn a_hit_says_where_and_shows_nothing() {
    let value = secret("masked", 40);
    let scanner = scanner_of(&value);
    let findings = scanner.bytes("app.log", format!("0123456789{value}").as_bytes());
    assert_eq!(findings.hits.len(), 1, "{findings}");
    assert_eq!(
        (findings.hits[0].form, findings.hits[0].offset),
        (Form::Raw, 10)
    );
    assert!(findings.has("the canary") && !findings.is_clean());
    let told = format!("{findings} {findings:?} {scanner:?}");
    assert!(told.contains("app.log"));
    let leaked = value.as_bytes().windows(4);
    assert!(
        leaked
            .map(|w| std::str::from_utf8(w).unwrap())
            .all(|w| !told.contains(w))
    );
}

#[test]
fn eleven_characters_are_not_a_hit_and_twelve_are() {
    let value = secret("edge", 40);
    let scanner = scanner_of(&value);
    for from in 0..=value.len() - WINDOW {
        let eleven = format!("~{}~", &value[from..from + WINDOW - 1]);
        assert!(
            scanner.bytes("eleven", eleven.as_bytes()).is_clean(),
            "{from}"
        );
        let twelve = format!("~{}~", &value[from..from + WINDOW]);
        assert!(
            !scanner.bytes("twelve", twelve.as_bytes()).is_clean(),
            "{from}"
        );
    }
}

#[test]
fn a_derived_key_is_found_in_memory_and_in_text() {
    let key = noise("signing key", 32);
    let scanner = Scanner::new([Canary::binary("signing key", key.clone()).unwrap()]);
    for written in [
        key.clone(),
        hex::encode(&key).into_bytes(),
        STANDARD.encode(&key).into_bytes(),
        format!("{key:?}").into_bytes(),
    ] {
        assert!(!scanner.bytes("key", &in_noise(&written)).is_clean());
    }
    assert!(scanner.bytes("none", &in_noise(b"")).is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any twelve characters, in any form, with anything around them.
    #[test]
    fn any_part_in_any_form_is_found(
        seed in "[a-z]{8}",
        long in any::<bool>(),
        form in 0..WRITTEN.len(),
        from in any::<prop::sample::Index>(),
        more in 0..20_usize,
        before in prop::collection::vec(any::<u8>(), 0..50),
        after in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let value = secret(&seed, if long { 640 } else { 40 });
        let from = from.index(value.len() - WINDOW + 1);
        let part = &value[from..(from + WINDOW + more).min(value.len())];
        let (name, _, write) = WRITTEN[form];
        let stream = [before, write(part), after].concat();
        let findings = scanner_of(&value).bytes(name, &stream);
        prop_assert!(!findings.is_clean(), "{name} of {from}+{more}: {findings}");
    }

    #[test]
    fn split_parts_are_found(
        seed in "[a-z]{8}",
        from in 0..28_usize,
        separators in prop::collection::vec(prop::sample::select(&SEPARATED[..]), 12),
    ) {
        let value = secret(&seed, 40);
        let part = value[from..from + WINDOW].chars();
        let split: String = part.zip(&separators).map(|(c, s)| format!("{c}{s}")).collect();
        prop_assert!(!scanner_of(&value).bytes("split", split.as_bytes()).is_clean());
    }

    #[test]
    fn random_bytes_are_clean(bytes in prop::collection::vec(any::<u8>(), 1..5000)) {
        let findings = scanner_of(&secret("unrelated", 640)).bytes("random", &bytes);
        prop_assert!(findings.is_clean(), "{findings}");
    }
}
