//! One child process: its pipes, and its end.

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::kin::Kin;
use super::level::RoomLevel;
use super::room::{self, Home};
use super::settings::ServerSettings;
use super::stderr::Stderr;

/// Time to leave by itself once its input is closed, and again once it is asked to.
const GRACE: Duration = Duration::from_millis(300);
/// How often an ending child is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Whether it went by itself when its input was closed.
    pub by_itself: bool,
    /// How many processes had to be killed, itself included.
    pub killed: usize,
    /// How many live on. Never more than none, or this machine gives no way to it.
    pub left: usize,
}

/// A child and whatever it started. Dropping it kills them.
#[derive(Debug)]
pub(super) struct ChildProcess {
    process: Child,
    kin: Kin,
    level: RoomLevel,
    stderr: Stderr,
    ended: Option<Ending>,
    // Last: it is removed when nobody lives in it any more.
    _home: Home,
}

/// The two pipes that the protocol runs over.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
}

impl ChildProcess {
    /// Starts a server in a room of its own. Call it on the invocation's cell.
    pub(super) fn start(
        settings: &ServerSettings,
        variables: &[(&'static str, String)],
        port: Option<u16>,
    ) -> io::Result<(Self, Pipes)> {
        let mut started = room::start(settings, variables, port)?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = started.process.stdin.take().ok_or_else(gone)?;
        let stdout = started.process.stdout.take().ok_or_else(gone)?;
        let stderr = started.process.stderr.take().ok_or_else(gone)?;
        let stderr = ChildStderr::from_std(stderr)?;
        let child = Self {
            process: started.process,
            kin: started.kin,
            level: started.level,
            stderr: Stderr::read(&settings.name, stderr, settings.log.clone()),
            ended: None,
            _home: started.home,
        };
        let pipes = Pipes {
            input: ChildStdin::from_std(stdin)?,
            output: ChildStdout::from_std(stdout)?,
        };
        Ok((child, pipes))
    }

    pub(super) fn number(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn level(&self) -> RoomLevel {
        self.level
    }

    pub(super) fn stderr(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// Ends the child after its input was closed: lets it go, asks it to go, makes it go.
    pub(super) async fn end(mut self) -> Ending {
        let by_itself = self.goes_within(GRACE).await;
        if !by_itself {
            self.signal(Signal::TERM);
            self.goes_within(GRACE).await;
        }
        self.finish(by_itself)
    }

    async fn goes_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while self.kin.child_lives() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(group) = group {
            // An error means that nobody is left in the group.
            let _gone = kill_process_group(group, signal);
        }
    }

    fn finish(&mut self, by_itself: bool) -> Ending {
        self.signal(Signal::KILL);
        let (killed, left) = self.kin.kill_all();
        // Killed, so it ends at once. An error means that somebody else has reaped it.
        let _status = self.process.wait();
        let ending = Ending {
            by_itself,
            killed,
            left,
        };
        self.ended = Some(ending);
        ending
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.finish(false);
        }
    }
}
