//! The clean room: everything a child is given, and nothing else.

use std::fs::{DirBuilder, remove_dir_all};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::kin::{Kin, MARK};
use super::landlock::{self, Ports, Support, Touchable};
use super::level::{DetachedReach, NetworkLevel, RoomLevel};
use super::pre_exec::{self, Confinement};
use super::settings::{ChildNetwork, ServerSettings};

/// The search path of a child's own children.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A child that has just been started in its room.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Child,
    pub(super) kin: Kin,
    pub(super) level: RoomLevel,
    pub(super) home: Home,
}

/// Starts a server in a room of its own, with what it is told of AWS and the port of its signing
/// endpoint.
///
/// Call it on the invocation's cell: the kernel kills the child when the calling thread ends.
pub(super) fn start(
    settings: &ServerSettings,
    variables: &[(&'static str, String)],
    port: Option<u16>,
) -> io::Result<Started> {
    let home = Home::make(&settings.scratch, &settings.name)?;
    // Landlock and `exec` follow symbolic links to what is really started.
    let program = settings.command.canonicalize()?;
    let touchable = Touchable {
        command: &program,
        readable: &settings.readable,
        home: &home.0,
        ports: match settings.network {
            ChildNetwork::Closed => Ports::Only(port),
            ChildNetwork::Open => Ports::All,
        },
    };
    let mark = home
        .0
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let (mut report, writer) = io::pipe()?;
    let mut command = Command::new(&settings.command);
    command
        .args(&settings.arguments)
        .env_clear()
        // First: nothing of it takes the place of what follows.
        .envs(
            settings
                .environment
                .iter()
                .map(|(name, value)| (name.as_str(), value)),
        )
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", &home.0)
        .env("TMPDIR", &home.0)
        .env(MARK, &mark)
        // Whatever AWS library the child has finds no configuration, no cache and no metadata.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(variables.iter().cloned())
        .current_dir(&home.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    pre_exec::confine(
        &mut command,
        Confinement {
            ruleset: landlock::ruleset(&touchable)?,
            without_network: settings.network == ChildNetwork::Closed && port.is_none(),
            limits: settings.limits,
            report: writer,
            parent: rustix::process::getpid(),
        },
    );
    let process = command.spawn()?;
    // With it goes our end of the report's pipe.
    drop(command);
    let mut reached = [0];
    report.read_exact(&mut reached)?;
    let [reached] = reached;
    let kin = Kin::of(process.id(), mark, reached & pre_exec::USER_NAMESPACE != 0);
    Ok(Started {
        level: level(reached, settings.network, Support::of_this_kernel(), &kin),
        process,
        kin,
        home,
    })
}

fn level(reached: u8, network: ChildNetwork, kernel: Support, kin: &Kin) -> RoomLevel {
    let closed = network == ChildNetwork::Closed;
    let has = |bit: u8| reached & bit != 0;
    let landlock = has(pre_exec::LANDLOCK);
    RoomLevel {
        user_namespace: has(pre_exec::USER_NAMESPACE),
        files: landlock && kernel.files,
        signals: landlock && kernel.signals,
        descriptors: has(pre_exec::DESCRIPTORS),
        network: match (
            has(pre_exec::NETWORK_NAMESPACE),
            closed && landlock && kernel.network,
        ) {
            (true, _) => NetworkLevel::Nothing,
            (false, true) => NetworkLevel::OwnPortsOverTcp,
            (false, false) => NetworkLevel::Everything,
        },
        detached: match kin.knows_namespace() {
            true => DetachedReach::ByNamespace,
            false => DetachedReach::ByMark,
        },
    }
}

/// A child's own home directory: empty at the start, gone at the end.
#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    fn make(scratch: &Path, name: &str) -> io::Result<Self> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        let name: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(24)
            .collect();
        let process = std::process::id();
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        for attempt in 0..100_u32 {
            let unique = since.as_nanos();
            let path = scratch.join(format!("ecs-agent-{name}-{process}-{unique:x}-{attempt}"));
            // Whoever made a directory of this name before us does not get to choose its contents.
            match private.create(&path) {
                Ok(()) => return Ok(Self(path.canonicalize()?)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed is the child's own rubbish.
        let _left = remove_dir_all(&self.0);
    }
}
