//! How clean a room is: what this machine allows.

use serde::{Deserialize, Serialize};

/// What holds a child, read back after it was started.
///
/// Always there, or the child is not started: an environment made for it, a process group of its own,
/// `PR_SET_NO_NEW_PRIVS`, `PR_SET_PDEATHSIG`, resource limits, no core dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLevel {
    /// A user namespace of its own: no capabilities, also for a program that runs as root, and no
    /// look into the memory of processes outside.
    pub user_namespace: bool,
    /// Landlock: the system read-only, its own empty home, nothing else of the disk.
    pub files: bool,
    /// Landlock: no signal and no abstract socket to a process outside.
    pub signals: bool,
    /// No descriptor of ours is inherited, also not one that somebody forgot to mark.
    pub descriptors: bool,
    /// What it can reach.
    pub network: NetworkLevel,
    /// How what it left behind is found at its end.
    pub detached: DetachedReach,
}

/// What a child can reach over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkLevel {
    /// Nothing: a network namespace without an interface.
    Nothing,
    /// No TCP but to the ports that it was given, and none that it could listen on. UDP is not held
    /// back by this.
    OwnPortsOverTcp,
    /// Whatever this process can reach: it may, or this machine gives no way to hold it back.
    Everything,
}

/// How the processes that a child detached are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetachedReach {
    /// By their user namespace, which they cannot leave.
    ByNamespace,
    /// By their parents, their session and a mark in their environment: a hostile program that sheds
    /// all three is not found.
    ByMark,
}
