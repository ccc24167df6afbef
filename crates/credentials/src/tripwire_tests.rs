use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

/// A secret as AWS makes them, from a seed: never a real one, and none that is written down.
fn secret(seed: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(ALPHABET[usize::try_from(state >> 58).unwrap()])
    };
    (0..length).map(|_| next()).collect()
}

fn wire(secrets: &[String]) -> (Key, Tripwire<usize>) {
    let key = Key::random();
    let traps = secrets
        .iter()
        .enumerate()
        .map(|(name, secret)| (name, Arc::new(Trap::of(&[secret.as_bytes()], &key))))
        .collect();
    (key, Tripwire::new(traps))
}

/// The ways in which a program writes a text without meaning to show it.
fn leaks(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let shifted = |by: usize| [&b"xyz"[..by], bytes].concat();
    let utf16: Vec<u16> = secret.encode_utf16().collect();
    let json = serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap();
    let mut leaks: Vec<(&'static str, Vec<u8>)> = vec![
        ("as it is", bytes.to_vec()),
        ("reversed", bytes.iter().rev().copied().collect()),
        ("upper case", secret.to_uppercase().into()),
        ("lower case", secret.to_lowercase().into()),
        ("hex", hex::encode(secret).into()),
        ("upper hex", hex::encode_upper(secret).into()),
        (
            "UTF-16LE",
            utf16.iter().flat_map(|u| u.to_le_bytes()).collect(),
        ),
        (
            "UTF-16BE",
            utf16.iter().flat_map(|u| u.to_be_bytes()).collect(),
        ),
        ("JSON in JSON", json.into()),
        (
            "JSON with escaped slashes",
            secret.replace('/', "\\/").into(),
        ),
        ("Debug", format!("{secret:?}").into()),
        ("Debug of bytes", format!("{bytes:?}").into()),
        (
            "percent",
            secret.replace('+', "%2B").replace('/', "%2F").into(),
        ),
        (
            "lower percent",
            secret.replace('+', "%2b").replace('/', "%2f").into(),
        ),
        ("SigV4's prefix", format!("AWS4{secret}").into()),
    ];
    for by in 0..3 {
        leaks.push(("base64", STANDARD.encode(shifted(by)).into()));
        leaks.push(("base64url", URL_SAFE.encode(shifted(by)).into()));
        let twice = STANDARD.encode(STANDARD.encode(shifted(by)));
        leaks.push(("base64 twice", twice.into()));
        let twice = STANDARD.encode(format!("{}{}", "x".repeat(by), STANDARD.encode(bytes)));
        leaks.push(("base64 twice, shifted", twice.into()));
    }
    leaks
}

#[test]
fn a_secret_is_found_in_every_form_and_anywhere() {
    for (seed, length) in [(1, 40), (2, 40), (3, 128), (4, 700), (5, 1_300)] {
        let secret = secret(seed, length);
        let (key, wire) = wire(std::slice::from_ref(&secret));
        for (form, leak) in leaks(&secret) {
            for (before, after) in [(0, 0), (1, 0), (0, 3), (1_000, 1_000)] {
                let text = [vec![b'.'; before], leak.clone(), vec![b'.'; after]].concat();
                assert_eq!(wire.find(&key, &text), [0], "{form}, {length} long");
            }
        }
    }
}

#[test]
fn part_of_a_secret_is_enough() {
    let secret = secret(7, 40);
    let (key, wire) = wire(std::slice::from_ref(&secret));
    for part in secret.as_bytes().windows(WINDOW) {
        assert_eq!(wire.find(&key, part), [0]);
    }
    for part in secret.as_bytes().windows(WINDOW - 1) {
        assert!(wire.find(&key, part).is_empty());
    }
    // A form is remembered at every eighth byte.
    let hex = hex::encode(&secret);
    assert!(
        hex.as_bytes()
            .windows(WINDOW + 7)
            .all(|part| !wire.find(&key, part).is_empty())
    );
}

#[test]
fn each_secret_has_its_own_name_and_another_key_finds_nothing() {
    let secrets = [secret(11, 40), secret(12, 40), secret(13, 400)];
    let (key, wire) = wire(&secrets);
    for (name, secret) in secrets.iter().enumerate() {
        assert_eq!(wire.find(&key, secret.as_bytes()), [name]);
    }
    let both = format!("{} {}", secrets[2], secrets[0]);
    assert_eq!(wire.find(&key, both.as_bytes()), [0, 2]);
    assert!(wire.find(&Key::random(), both.as_bytes()).is_empty());
}

#[test]
fn traps_that_are_set_one_after_the_other_stand_in_few_segments_and_are_all_found() {
    let key = Key::random();
    let secrets: Vec<String> = (1..=150).map(|seed| secret(seed * 31, 40)).collect();
    let mut wire = Tripwire::new(Vec::new());
    for (name, secret) in secrets.iter().enumerate() {
        let trap = Arc::new(Trap::of(&[secret.as_bytes()], &key));
        let before = wire.len();
        wire = wire.with(name, trap);
        assert_eq!(wire.len(), before + 1);
        let sizes: Vec<usize> = wire.segments.iter().map(|s| s.traps.len()).collect();
        assert!(sizes.is_sorted_by(|a, b| *a >= RATIO * b), "{sizes:?}");
    }
    for (name, secret) in secrets.iter().enumerate() {
        assert_eq!(wire.find(&key, secret.as_bytes()), [name]);
    }
}

#[test]
fn what_many_tokens_have_in_common_is_not_a_secret() {
    let start = format!(
        "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJG{}",
        "A".repeat(16)
    );
    let token = format!("{start}{}", secret(17, 400));
    let (key, wire) = wire(std::slice::from_ref(&token));
    assert!(wire.find(&key, start.as_bytes()).is_empty());
    assert!(wire.find(&key, "=".repeat(80).as_bytes()).is_empty());
    assert_eq!(wire.find(&key, &token.as_bytes()[80..]), [0]);
}

#[test]
fn a_text_too_short_to_be_told_apart_sets_nothing_off() {
    let (key, wire) = wire(&["testing".to_owned(), "a".repeat(100)]);
    assert!(wire.find(&key, b"testing testing testing").is_empty());
    assert!(wire.find(&key, "a".repeat(200).as_bytes()).is_empty());
    assert!(wire.find(&key, b"").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn other_text_passes(text in "[ -~\\n]{0,4000}") {
        let (key, wire) = wire(&[secret(23, 40), secret(24, 1_000)]);
        prop_assert!(wire.find(&key, text.as_bytes()).is_empty());
    }

    #[test]
    fn a_secret_between_other_text_is_found(
        before in "[ -~]{0,300}", after in "[ -~]{0,300}", seed in 1_u64..1_000_000,
    ) {
        let secret = secret(seed, 40);
        let (key, wire) = wire(std::slice::from_ref(&secret));
        prop_assert_eq!(wire.find(&key, format!("{before}{secret}{after}").as_bytes()), [0]);
    }
}
