//! What the whole process does so that secrets in its memory stay there.

use std::io::Write;
use std::panic::PanicHookInfo;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior,
    setrlimit,
};
use serde::Serialize;

use crate::memory::MemoryProtection;

/// The allocator of the binary: it wipes memory as it is freed.
///
/// It covers the copies that other people's code makes while signing and sending. The program's
/// `main.rs` installs it:
///
/// ```no_run
/// use ecs_agent_credentials::WipingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: WipingAllocator = ecs_agent_credentials::WIPING_ALLOCATOR;
/// # fn main() {}
/// ```
pub type WipingAllocator = zeroizing_alloc::ZeroAlloc<std::alloc::System>;

/// The value to install as `#[global_allocator]`; see [`WipingAllocator`].
pub const WIPING_ALLOCATOR: WipingAllocator = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// How the process is protected, as read back from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hardening {
    /// Whether other processes of the same user are kept out of `/proc/PID/{mem,environ}`, and no
    /// core is ever written.
    pub not_dumpable: bool,
    /// Whether the core file size limit is 0.
    pub no_core_file: bool,
    /// How well secrets' pages are protected.
    pub memory: MemoryProtection,
}

/// Makes the process undumpable, and reads back that it is. Call it first in `main`.
///
/// # Errors
/// [`HardenError`] if the kernel refuses or reports something else afterwards. A program that holds
/// credentials should then not start.
pub fn harden_process() -> Result<Hardening, HardenError> {
    let refused = |what| {
        move |source: rustix::io::Errno| HardenError::Refused {
            what,
            source: source.into(),
        }
    };
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(refused("a core file limit of 0"))?;
    // Needed beside the limit, which does not bind when `core_pattern` is a pipe (core(5)).
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("to be not dumpable"))?;
    let hardening = hardening();
    if hardening.not_dumpable && hardening.no_core_file {
        return Ok(hardening);
    }
    Err(HardenError::NotInForce { hardening })
}

/// Reads the state of the process without changing it.
#[must_use]
pub fn hardening() -> Hardening {
    let core = getrlimit(Resource::Core);
    Hardening {
        not_dumpable: dumpable_behavior() == Ok(DumpableBehavior::NotDumpable),
        no_core_file: core.current == Some(0) && core.maximum == Some(0),
        memory: MemoryProtection::probe(),
    }
}

/// Why the process could not be protected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardenError {
    /// The kernel refused a request.
    #[error("the kernel refused {what}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The kernel agreed and then reported something else.
    #[error("the process is still open to dumps: {hardening:?}")]
    NotInForce {
        /// What it reported.
        hardening: Hardening,
    },
}

/// Replaces the panic hook by one that prints the place and a fixed sentence.
///
/// # Security
/// A panic's message can contain any value the program held, so it is never printed.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        // A panic hook has nobody to report a failed write to.
        let _ = writeln!(std::io::stderr().lock(), "{}", panic_report(panic));
    }));
}

fn panic_report(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(
        || "an unknown place".to_owned(),
        |at| format!("{}:{}", at.file(), at.line()),
    );
    format!("internal error at {place}: this is a bug; the credentials involved are being cleared")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_is_reported_by_place_and_without_its_message() {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&reports);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            sink.lock().unwrap().push(panic_report(panic));
        }));
        let _ = std::panic::catch_unwind(|| panic!("wJalrXUtnFEMI"));
        std::panic::set_hook(usual);
        let reports = reports.lock().unwrap();
        let ours = reports.iter().find(|r| r.contains("process.rs:")).unwrap();
        assert!(ours.starts_with("internal error at "), "{ours}");
        assert!(!ours.contains("wJalr"), "{ours}");
    }
}
