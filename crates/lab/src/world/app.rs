use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the program in an image behaves once a container runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AppBehaviour {
    /// The port it listens on; none for a program that only works off a queue.
    pub(crate) listen_port: Option<u16>,
    /// The environment variable that overrides the port, if it reads one.
    pub(crate) port_variable: Option<String>,
    /// The address it binds: `0.0.0.0` or `127.0.0.1`.
    pub(crate) bind_address: String,
    /// The environment variable that overrides the address, if it reads one.
    pub(crate) bind_variable: Option<String>,
    /// Seconds from the start of the process until it listens.
    pub(crate) startup_seconds: u32,
    /// Memory at start, in MiB.
    pub(crate) memory_mib: u32,
    /// Growth of its memory, in MiB a minute.
    pub(crate) memory_growth_mib_per_minute: u32,
    /// What each HTTP path answers; a path that is not here answers 404.
    pub(crate) routes: BTreeMap<String, Route>,
    /// Environment variables (or secrets of that name) without which it exits at once.
    pub(crate) required_variables: Vec<String>,
    /// What it must reach at start.
    pub(crate) dependencies: Vec<Dependency>,
    /// When and how it ends by itself.
    pub(crate) crash: Option<Crash>,
    /// Programs in the image that a container health check may call.
    pub(crate) commands: Vec<String>,
    /// The path of its main program, for the kernel's complaint about a wrong architecture.
    pub(crate) entry_point: String,
    /// Lines logged when the process starts.
    pub(crate) start_lines: Vec<String>,
    /// Lines logged again and again while it runs.
    pub(crate) periodic_lines: Vec<LogLine>,
    /// Whether it speaks TLS on its port: plain HTTP is answered with 400 there.
    pub(crate) tls: bool,
    /// Directories that it writes to at its start.
    pub(crate) writes: Vec<String>,
    /// What it has written to the task's disk at its start, in MiB.
    pub(crate) disk_mib: u32,
    /// What it writes to the task's disk, in MiB a minute.
    pub(crate) disk_growth_mib_per_minute: u32,
    /// Files and sockets that it holds open once it listens.
    pub(crate) open_files: u32,
    /// Whether it does not end on SIGTERM, so that ECS kills it after the stop timeout.
    pub(crate) ignores_sigterm: bool,
}

/// What one HTTP path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// The HTTP status.
    pub(crate) status: u16,
    /// How long the answer takes.
    #[serde(default)]
    pub(crate) milliseconds: u32,
}

/// Something outside the task that the program needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    /// Host name.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

/// A program that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crash {
    /// Seconds after its start.
    pub(crate) after_seconds: u32,
    /// The exit code.
    pub(crate) exit_code: i32,
    /// The last lines it logs.
    #[serde(default)]
    pub(crate) lines: Vec<String>,
}

/// A line that is logged repeatedly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogLine {
    /// The text.
    pub(crate) text: String,
    /// Seconds between two of them; at least 5.
    pub(crate) every_seconds: u32,
}

impl Default for AppBehaviour {
    fn default() -> Self {
        Self {
            listen_port: Some(8080),
            port_variable: Some("PORT".to_owned()),
            bind_address: "0.0.0.0".to_owned(),
            bind_variable: None,
            startup_seconds: 8,
            memory_mib: 180,
            memory_growth_mib_per_minute: 0,
            routes: BTreeMap::from([(
                "/health".to_owned(),
                Route {
                    status: 200,
                    milliseconds: 5,
                },
            )]),
            required_variables: Vec::new(),
            dependencies: Vec::new(),
            crash: None,
            commands: vec!["sh".to_owned(), "curl".to_owned()],
            entry_point: "/app/server".to_owned(),
            start_lines: Vec::new(),
            periodic_lines: Vec::new(),
            tls: false,
            writes: Vec::new(),
            disk_mib: 0,
            disk_growth_mib_per_minute: 0,
            open_files: 64,
            ignores_sigterm: false,
        }
    }
}
