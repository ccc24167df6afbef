//! How fast a stream is searched for the canaries of 32 invocations.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ecs_agent_canaries::{Canary, Scanner};
use sha2::{Digest as _, Sha256};

/// Bytes of a stream.
const LENGTH: usize = 16 << 20;

fn noise(seed: &str, length: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|n| Sha256::digest(format!("{seed} {n}")));
    blocks.flatten().take(length).collect()
}

fn text(seed: &str, length: usize) -> String {
    let mut text = hex::encode(noise(seed, length));
    text.truncate(length);
    text
}

/// A user's secret, a session's secret and a session's token for each invocation.
fn scanner() -> Scanner {
    let canaries = (0..32).flat_map(|invocation| {
        [40, 40, 640].map(|length| {
            let name = format!("{length} of {invocation}");
            let value = base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD_NO_PAD,
                noise(&name, length * 3 / 4),
            );
            Canary::text(name, value)
        })
    });
    Scanner::new(canaries.flatten())
}

fn scan(criterion: &mut Criterion) {
    let scanner = scanner();
    let mut group = criterion.benchmark_group("scan");
    group
        .throughput(Throughput::Bytes(LENGTH as u64))
        .sample_size(20);
    let log = "2026-01-01T00:00:00Z INFO ecs: DescribeServices 200 in 12 ms; ".repeat(64);
    let streams = [
        ("noise", noise("stream", LENGTH)),
        ("hex", text("stream", LENGTH).into_bytes()),
        ("log lines", log.bytes().cycle().take(LENGTH).collect()),
        ("zeros", vec![0; LENGTH]),
    ];
    for (name, stream) in &streams {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| assert!(scanner.bytes(name, stream).is_clean()));
        });
    }
    group.finish();
    criterion.bench_function("make a scanner", |bencher| bencher.iter(self::scanner));
}

criterion_group!(benches, scan);
criterion_main!(benches);
