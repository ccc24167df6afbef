//! How fast the leak guard looks: `cargo run --release --example scan_speed -- --bench`.
//!
//! Eight secrets in use are what an invocation with a chain of roles has on a bad day; a hundred and
//! twenty-eight are a busy server's.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use ecs_agent_credentials::{
    CredentialContext, Endpoints, InvocationId, LeakGuard, SecretText, Sink, Sources,
    StaticCredentials,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let text: String = (0..20_000)
        .map(|line| format!("{{\"at\": {line}, \"service\": \"api\", \"status\": \"RUNNING\"}}\n"))
        .collect();
    let mut group = criterion.benchmark_group("inspect");
    group.throughput(Throughput::Bytes(
        u64::try_from(text.len()).unwrap_or_default(),
    ));
    for secrets in [1, 8, 128] {
        let guard = LeakGuard::new();
        let armed: Vec<_> = (0..secrets).map(|seed| arm(&guard, seed)).collect();
        group.bench_with_input(
            BenchmarkId::from_parameter(secrets),
            &text,
            |bencher, text| {
                bencher.iter(|| guard.inspect(Sink::Log, black_box(text.as_bytes())));
            },
        );
        drop(armed);
    }
    group.finish();
    criterion.bench_function("arm and disarm", |bencher| {
        let guard = LeakGuard::new();
        bencher.iter(|| arm(&guard, 1));
    });
    criterion.final_summary();
}

/// A secret key and a token of the usual lengths, watched for as long as the result exists.
fn arm(guard: &Arc<LeakGuard>, seed: u64) -> Option<(Arc<CredentialContext>, Sources)> {
    let context = CredentialContext::guarded(
        InvocationId::new(uuid::Uuid::from_u128(seed.into())),
        None,
        Endpoints::Aws,
        Arc::clone(guard),
    );
    let keys = StaticCredentials::new(
        "ASIAIOSFODNN7EXAMPLE",
        SecretText::from(letters(seed, 40)),
        Some(SecretText::from(letters(seed + 1_000, 700))),
        None,
    );
    let sources = Sources::builder().with_static("given", keys.ok()?).build();
    let sources = sources.watched_by(&context);
    Some((context, sources))
}

fn letters(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state >> 60).unwrap_or_default())
    };
    std::iter::repeat_with(next).take(length).collect()
}
