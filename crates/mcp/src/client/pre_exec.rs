//! What a child does to itself between `fork` and `exec`.
//!
//! The only module of this crate with `unsafe` code: that moment has no safe interface. In the forked
//! child of a program with threads, only async-signal-safe calls are allowed (POSIX, `fork`): no
//! allocation, no lock, no destructor that frees. Everything that needs memory is made before the
//! fork and moved in.
#![expect(
    unsafe_code,
    reason = "registering code that runs between fork and exec, and its system calls, have no safe \
              interface"
)]

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::settings::RoomLimits;

/// Bits of the byte in which the child says what it reached.
pub(super) const USER_NAMESPACE: u8 = 1;
pub(super) const NETWORK_NAMESPACE: u8 = 2;
pub(super) const LANDLOCK: u8 = 4;
pub(super) const DESCRIPTORS: u8 = 8;
/// Always set, so that a byte that was written differs from none.
pub(super) const REPORTED: u8 = 128;

/// Everything that a child confines itself with, made before the fork.
#[derive(Debug)]
pub(super) struct Confinement {
    /// Landlock's ruleset, where the kernel has it.
    pub(super) ruleset: Option<OwnedFd>,
    /// Whether to leave the network behind.
    pub(super) without_network: bool,
    pub(super) limits: RoomLimits,
    /// Where the child writes its byte. Close-on-exec.
    pub(super) report: io::PipeWriter,
    /// The process that must still be the parent.
    pub(super) parent: Pid,
}

/// Lets `command`'s child confine itself before it becomes the program.
///
/// Spawn it on a thread that lives as long as the child may: the kernel kills the child when the
/// thread that forked it ends.
pub(super) fn confine(command: &mut Command, confinement: Confinement) {
    // SAFETY: `apply` makes system calls on values that exist already, and returns errors that are
    // numbers. It neither allocates nor frees nor locks: `report` and `ruleset` are only borrowed, and
    // the closure that owns them is dropped in the parent, never in the child, which either executes
    // the program or leaves through `_exit`.
    unsafe { command.pre_exec(move || apply(&confinement)) };
}

fn apply(confinement: &Confinement) -> io::Result<()> {
    let mut reached = REPORTED;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::As, confinement.limits.memory),
        (Resource::Fsize, confinement.limits.file),
        (Resource::Nofile, confinement.limits.descriptors),
    ] {
        limit(resource, most)?;
    }
    if close_descriptors_on_exec() {
        reached |= DESCRIPTORS;
    }
    let apart = libc::CLONE_NEWUSER | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if confinement.without_network && unshare(apart | libc::CLONE_NEWNET) {
        reached |= USER_NAMESPACE | NETWORK_NAMESPACE;
    } else if unshare(apart) {
        reached |= USER_NAMESPACE;
    }
    if reached & USER_NAMESPACE != 0 {
        // Before, the kernel would have counted every process of the user.
        limit(Resource::Nproc, confinement.limits.processes)?;
    }
    // After the namespace: new credentials may take the signal back.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(confinement.parent) {
        // The parent ended before the signal was asked for.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    no_new_privileges()?;
    if let Some(ruleset) = &confinement.ruleset {
        restrict(ruleset)?;
        reached |= LANDLOCK;
    }
    tell(&confinement.report, reached)
}

/// Lowers a limit for good; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let present = rustix::process::getrlimit(resource);
    let most = present.maximum.map_or(most, |maximum| maximum.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Marks every descriptor above the standard ones, also the ones that a library left unmarked.
fn close_descriptors_on_exec() -> bool {
    // SAFETY: `close_range(2)` takes three numbers and, with this flag, only sets a flag of
    // descriptors: those of `Command` itself are marked so already and go on to work until `exec`.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3_u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    done == 0
}

fn unshare(flags: libc::c_int) -> bool {
    // SAFETY: `unshare(2)` takes flags only. The forked child has one thread, as a new user namespace
    // demands, and no flag here concerns memory or descriptors.
    unsafe { libc::unshare(flags) == 0 }
}

fn no_new_privileges() -> io::Result<()> {
    // SAFETY: `prctl(PR_SET_NO_NEW_PRIVS)` takes numbers; the unused ones must be zero.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn restrict(ruleset: &OwnedFd) -> io::Result<()> {
    // SAFETY: `landlock_restrict_self(2)` takes a ruleset's descriptor, which is open, and flags.
    let restricted =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    match restricted {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn tell(report: &io::PipeWriter, reached: u8) -> io::Result<()> {
    let byte = [reached];
    // SAFETY: the descriptor is open and `byte` is one readable byte. A pipe takes one byte at once.
    let written = unsafe { libc::write(report.as_raw_fd(), byte.as_ptr().cast(), 1) };
    match written {
        1 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
