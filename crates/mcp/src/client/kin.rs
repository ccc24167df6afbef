//! Everything that a child started, also what it detached from itself.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that marks the processes of one child.
pub(super) const MARK: &str = "ECS_DEEP_AGENT_CHILD";

/// Time for looking and killing in turns: a process may fork once more between the two.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the processes of one child are recognised.
#[derive(Debug)]
pub(super) struct Kin {
    child: u32,
    mark: String,
    /// The child's own user namespace. A process cannot leave it for another, nor make one below it:
    /// that takes a mapping of its user, and none is ever written.
    namespace: Option<String>,
}

impl Kin {
    pub(super) fn of(child: u32, mark: String, has_namespace: bool) -> Self {
        let namespace = has_namespace.then(|| namespace_of(child)).flatten();
        // A namespace that is ours after all would tell nothing.
        let ours = namespace_of(std::process::id());
        Self {
            child,
            mark: format!("{MARK}={mark}"),
            namespace: namespace.filter(|own| Some(own) != ours.as_ref()),
        }
    }

    pub(super) fn knows_namespace(&self) -> bool {
        self.namespace.is_some()
    }

    /// Tells whether the child itself runs. It is not reaped by looking.
    pub(super) fn child_lives(&self) -> bool {
        Process::read(self.child).is_some_and(|process| process.lives)
    }

    /// Kills whatever belongs to the child, until nothing does; the child itself included.
    ///
    /// Call it before the child is reaped: until then its number, and so its group and its session,
    /// cannot be given to somebody else. Returns how many were killed, and how many are left.
    pub(super) fn kill_all(&self) -> (usize, usize) {
        let until = Instant::now() + PATIENCE;
        let mut killed: BTreeSet<u32> = BTreeSet::new();
        loop {
            let found = self.find();
            if found.is_empty() || Instant::now() >= until {
                return (killed.len(), found.len());
            }
            let dying = found.iter().copied();
            killed.extend(dying.filter(|process| self.kill(*process, &found)));
            // A killed process is still there until it has run once more.
            std::thread::yield_now();
        }
    }

    /// Lists the processes that belong to the child and live.
    pub(super) fn find(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let all: Vec<Process> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Process::read)
            .collect();
        let mut kin: Vec<u32> = vec![self.child];
        loop {
            let grown: Vec<u32> = all
                .iter()
                .filter(|process| !kin.contains(&process.number))
                .filter(|process| kin.contains(&process.parent) || self.is_marked(process))
                .map(|process| process.number)
                .collect();
            if grown.is_empty() {
                break;
            }
            kin.extend(grown);
        }
        let lives = |number: &u32| {
            all.iter()
                .any(|process| process.number == *number && process.lives)
        };
        kin.retain(lives);
        kin
    }

    fn is_marked(&self, process: &Process) -> bool {
        if process.group == self.child || process.session == self.child {
            return true;
        }
        match &self.namespace {
            Some(own) => namespace_of(process.number).as_ref() == Some(own),
            None => fs::read(format!("/proc/{}/environ", process.number)).is_ok_and(|variables| {
                variables
                    .split(|b| *b == 0)
                    .any(|variable| variable == self.mark.as_bytes())
            }),
        }
    }

    /// Kills one process. What has this number now must still be one of the child's.
    fn kill(&self, number: u32, kin: &[u32]) -> bool {
        let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
        let Some(handle) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            return false;
        };
        let still = Process::read(number).is_some_and(|process| {
            number == self.child || kin.contains(&process.parent) || self.is_marked(&process)
        });
        still && pidfd_send_signal(handle, Signal::KILL).is_ok()
    }
}

#[derive(Debug)]
struct Process {
    number: u32,
    parent: u32,
    group: u32,
    session: u32,
    lives: bool,
}

impl Process {
    fn read(number: u32) -> Option<Self> {
        Self::parse(
            number,
            &fs::read_to_string(format!("/proc/{number}/stat")).ok()?,
        )
    }

    /// Reads `PID (NAME) STATE PARENT GROUP SESSION …`; the name may hold anything. Source: proc(5).
    fn parse(number: u32, stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let mut next = || fields.next()?.parse().ok();
        Some(Self {
            number,
            lives: !matches!(state, "Z" | "X" | "x"),
            parent: next()?,
            group: next()?,
            session: next()?,
        })
    }
}

fn namespace_of(process: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{process}/ns/user")).ok()?;
    Some(link.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_calls_itself() {
        let read = Process::parse(7, "7 (a) Z 1 (b) S 3 4 5 0").unwrap();
        assert_eq!(
            (read.parent, read.group, read.session, read.lives),
            (3, 4, 5, true)
        );
        assert!(!Process::parse(7, "7 (x) Z 3 4 5").unwrap().lives);
        assert!(Process::parse(7, "7 (x").is_none());
    }
}
