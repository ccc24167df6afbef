//! Telling whether a process that left something behind is still there.

use std::fmt;
use std::str::FromStr;

/// One process of one boot of one machine: its number alone would come back.
///
/// Only Linux says enough; elsewhere there is none, and leases end by time alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    boot: String,
    /// The namespace that the number counts in: containers on one machine have their own.
    namespace: String,
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

/// What can be said about another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It belongs to another machine, boot or container, which cannot be seen from here.
    Unknown,
}

impl ProcessIdentity {
    /// This process, where the system tells.
    #[must_use]
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// A process of this machine by its number, if it runs and the system tells.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            boot: here("/proc/sys/kernel/random/boot_id")?,
            namespace: namespace()?,
            pid,
            started: started(pid)?,
        })
    }

    /// Whether it still runs, as far as can be seen from here.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        let same_place = here("/proc/sys/kernel/random/boot_id").as_ref() == Some(&self.boot)
            && namespace().as_ref() == Some(&self.namespace);
        if !same_place {
            return Liveness::Unknown;
        }
        match started(self.pid) {
            Some(started) if started == self.started => Liveness::Alive,
            Some(_) | None => Liveness::Dead,
        }
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.boot, self.namespace, self.pid, self.started
        )
    }
}

impl FromStr for ProcessIdentity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(());
        let identity = Self {
            boot: next()?.to_owned(),
            namespace: next()?.to_owned(),
            pid: next()?.parse().map_err(drop)?,
            started: next()?.parse().map_err(drop)?,
        };
        Ok(identity)
    }
}

fn here(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

fn namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_str()?.to_owned())
}

/// When a running process started; `None` if there is none. proc(5): the command may hold
/// anything, so fields are counted from its last `)`; state is field 3, start time field 22.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    // A zombie has ended; only its parent has not looked yet.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_reads_back() {
        let this = ProcessIdentity::current().unwrap();
        assert_eq!(this.to_string().parse::<ProcessIdentity>().unwrap(), this);
        assert_eq!(this.liveness(), Liveness::Alive);
    }

    #[test]
    fn the_same_number_at_another_time_is_another_process() {
        let mut reused = ProcessIdentity::current().unwrap();
        reused.started += 1;
        assert_eq!(reused.liveness(), Liveness::Dead);
    }

    #[test]
    fn another_boot_or_container_cannot_be_judged() {
        let mut elsewhere = ProcessIdentity::current().unwrap();
        elsewhere.namespace.push('x');
        assert_eq!(elsewhere.liveness(), Liveness::Unknown);
    }

    #[test]
    fn a_killed_child_is_dead_before_its_parent_looks() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        assert_eq!(identity.liveness(), Liveness::Alive);
        child.kill().unwrap();
        while identity.liveness() == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(identity.liveness(), Liveness::Dead);
        child.wait().unwrap();
    }
}
