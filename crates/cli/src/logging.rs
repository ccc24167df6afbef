//! The program's own log, on standard error, off unless asked for.

use std::io;
use std::sync::Arc;

use ecs_agent_credentials::LeakGuard;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment::Environment;
use crate::guarded_lines::GuardedLines;

/// Libraries that see secrets on the wire. Below info they write headers and bodies, so no filter
/// that a person sets gets them there.
const CAPPED: [&str; 9] = [
    "aws_", "hyper", "h2", "reqwest", "rig", "rmcp", "rustls", "tower", "sqlx",
];

/// Starts the log as `ECS_DEEP_AGENT_LOG` or `-vv` wants it.
pub(crate) fn start(environment: &Environment, verbose: u8, guard: &Arc<LeakGuard>) {
    let usual = if verbose >= 2 {
        "info,ecs_agent=debug,ecs_deep_agent=debug"
    } else {
        "error"
    };
    let filter = environment
        .log
        .as_deref()
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .unwrap_or_else(|| EnvFilter::new(usual));
    let cap = filter_fn(|metadata| allowed(metadata.target(), *metadata.level()));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(GuardedLines::new(io::stderr, Arc::clone(guard)))
        .with_ansi(false);
    // A second subscriber is only ever possible in tests, which do not need this one.
    let _already_started = tracing_subscriber::registry()
        .with(filter)
        .with(cap)
        .with(lines)
        .try_init();
}

fn allowed(target: &str, level: Level) -> bool {
    level <= Level::INFO || !CAPPED.iter().any(|library| target.starts_with(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sees_secrets_never_logs_below_info() {
        for target in [
            "aws_smithy_runtime::client",
            "hyper::proto",
            "h2::codec",
            "aws_sigv4",
            "reqwest::connect",
            "rmcp::transport",
            "rig::completions",
            "rig::streaming",
            "rig_core::providers",
            "rustls::client",
        ] {
            assert!(allowed(target, Level::INFO));
            assert!(
                !allowed(target, Level::DEBUG) && !allowed(target, Level::TRACE),
                "{target}"
            );
        }
        assert!(allowed("ecs_agent_core", Level::TRACE));
    }
}
