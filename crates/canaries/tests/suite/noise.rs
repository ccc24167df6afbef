//! Values that look like AWS's, and bytes around them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecs_agent_canaries::{Canary, Scanner};
use sha2::{Digest as _, Sha256};

/// As many bytes as wanted that look random; the same for the same seed.
pub(crate) fn noise(seed: &str, length: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|n| Sha256::digest(format!("{seed} {n}")));
    blocks.flatten().take(length).collect()
}

/// A secret of this many characters in the alphabet that AWS uses.
pub(crate) fn secret(seed: &str, length: usize) -> String {
    let mut text = STANDARD.encode(noise(&format!("secret {seed}"), length));
    text.truncate(length);
    text
}

#[test]
fn noise_and_other_secrets_are_clean() {
    let canaries = (0..32).flat_map(|invocation| {
        [40, 40, 640].map(|length| {
            let name = format!("{length} characters of {invocation}");
            Canary::text(name.clone(), secret(&name, length)).unwrap()
        })
    });
    let scanner = Scanner::new(canaries);
    for (what, content) in [
        ("bytes", noise("bytes", 4 << 20)),
        ("another secret", secret("nobody's", 1 << 20).into_bytes()),
        ("hex", hex::encode(noise("hex", 1 << 20)).into_bytes()),
        ("digits", "1234567890, ".repeat(50_000).into_bytes()),
        ("nothing", vec![0; 1 << 20]),
        (
            "this program",
            std::fs::read(std::env::current_exe().unwrap()).unwrap()[..4 << 20].to_vec(),
        ),
    ] {
        let findings = scanner.bytes(what, &content);
        assert!(findings.is_clean(), "{what}: {findings}");
        assert_eq!(findings.read, content.len() as u64);
    }
}
