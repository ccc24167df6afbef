//! Which files and ports a child may touch: a Landlock ruleset.
//!
//! Source: landlock(7). The ruleset is made here and put into force by the child itself.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, Scope,
};

/// What every program needs of the system, and no more: programs, libraries, certificates, names,
/// time. Not `/etc` as a whole, not `/proc`, no home, no `/tmp`.
const SYSTEM: [&str; 31] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/random",
    "/dev/urandom",
];

/// Devices that may be written to as well.
const WRITABLE: [&str; 3] = ["/dev/full", "/dev/null", "/dev/zero"];

/// The kernel interfaces that this module was written against.
const FILES: ABI = ABI::V5;
const NETWORK: ABI = ABI::V4;
const SCOPES: ABI = ABI::V6;

/// What this kernel's Landlock can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Support {
    pub(super) files: bool,
    pub(super) network: bool,
    pub(super) signals: bool,
}

impl Support {
    /// Asks the kernel, by trying.
    pub(super) fn of_this_kernel() -> Self {
        let hard = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        Self {
            files: hard().handle_access(AccessFs::from_all(ABI::V1)).is_ok(),
            network: hard().handle_access(AccessNet::from_all(NETWORK)).is_ok(),
            signals: hard().scope(Scope::from_all(SCOPES)).is_ok(),
        }
    }
}

/// What one child may touch besides the system.
#[derive(Debug)]
pub(super) struct Touchable<'a> {
    /// The program.
    pub(super) command: &'a Path,
    /// Where it is installed, and its data.
    pub(super) readable: &'a [PathBuf],
    /// Its own home directory.
    pub(super) home: &'a Path,
    /// The ports that it may connect to.
    pub(super) ports: Ports,
}

/// TCP ports that a child may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    Only(Option<u16>),
    All,
}

/// Makes the ruleset, as strict as this kernel allows; none if it has no Landlock.
pub(super) fn ruleset(touchable: &Touchable<'_>) -> io::Result<Option<OwnedFd>> {
    build(touchable).map_err(io::Error::other)
}

fn build(touchable: &Touchable<'_>) -> Result<Option<OwnedFd>, landlock::RulesetError> {
    let read = AccessFs::from_read(FILES);
    let own = AccessFs::from_all(FILES)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(FILES))?;
    if touchable.ports != Ports::All {
        ruleset = ruleset.handle_access(AccessNet::from_all(NETWORK))?;
    }
    let mut ruleset = ruleset
        .scope(Scope::from_all(SCOPES))?
        .create()?
        .add_rules(existing(SYSTEM.iter().map(Path::new), read))?
        .add_rules(existing(
            WRITABLE.iter().map(Path::new),
            AccessFs::ReadFile | AccessFs::WriteFile,
        ))?
        .add_rules(existing([touchable.command].into_iter(), read))?
        .add_rules(existing(
            touchable.readable.iter().map(PathBuf::as_path),
            read,
        ))?
        .add_rules(existing([touchable.home].into_iter(), own))?;
    if let Ports::Only(Some(port)) = touchable.ports {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset.into())
}

/// Rules for those of `paths` that exist; a file gets the rights that files have.
fn existing<'a>(
    paths: impl Iterator<Item = &'a Path>,
    access: impl Into<BitFlags<AccessFs>>,
) -> impl Iterator<Item = Result<PathBeneath<PathFd>, landlock::RulesetError>> {
    let access = access.into();
    paths.filter_map(move |path| {
        let is_directory = path.metadata().ok()?.is_dir();
        let access = match is_directory {
            true => access,
            false => access & AccessFs::from_file(FILES),
        };
        PathFd::new(path)
            .ok()
            .map(|open| Ok(PathBeneath::new(open, access)))
    })
}
