//! The leak guard: the last look at everything that leaves, for secrets that are in use.
//!
//! It is a net under the types, not the mechanism: nothing that can hold a secret has a way to an
//! exit. What the net catches is a defect, so the output is withheld, the credentials concerned are
//! wiped, and the run fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use serde::Serialize;

use crate::context::CredentialContext;
use crate::identity::InvocationId;
use crate::secret::SecretText;
use crate::sync::{Mutex, lock};
use crate::tripwire::{Key, Trap, Tripwire};

/// Where something leaves the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// A request to a language model.
    ModelRequest,
    /// A tool's result: what the model reads, with the values and files it leaves.
    ToolResult,
    /// Any other event of a thread's log.
    ThreadEvent,
    /// A thread's values and files, as an invocation hands them to its caller.
    ThreadState,
    /// A report that is kept.
    Report,
    /// A record of the audit chain.
    Audit,
    /// What is told while an invocation runs.
    Progress,
    /// Standard output.
    Stdout,
    /// Standard error, but for the log.
    Stderr,
    /// The program's own log.
    Log,
    /// A response of the HTTP server, a stream's events included.
    HttpResponse,
    /// A result of the MCP server.
    McpResult,
    /// A recording of a model's answers.
    Cassette,
}

impl Sink {
    /// Every sink.
    pub const ALL: [Self; 13] = [
        Self::ModelRequest,
        Self::ToolResult,
        Self::ThreadEvent,
        Self::ThreadState,
        Self::Report,
        Self::Audit,
        Self::Progress,
        Self::Stdout,
        Self::Stderr,
        Self::Log,
        Self::HttpResponse,
        Self::McpResult,
        Self::Cassette,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ModelRequest => "a model request",
            Self::ToolResult => "a tool result",
            Self::ThreadEvent => "a thread event",
            Self::ThreadState => "the thread's values and files",
            Self::Report => "a report",
            Self::Audit => "an audit record",
            Self::Progress => "a progress message",
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
            Self::Log => "the log",
            Self::HttpResponse => "an HTTP response",
            Self::McpResult => "an MCP result",
            Self::Cassette => "a model recording",
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many secrets are still looked for after they were wiped. AWS honours a session until it
/// ends, and a report is written when the credentials behind it are gone.
const REMEMBERED: usize = 16;

/// Something was about to leave that held a secret in use. It was not let out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{sink} was withheld, because it held a secret in use; AWS credentials that it belongs to are \
     cleared: report this defect, and let the secret expire or rotate it"
)]
pub struct LeakBlocked {
    /// Where it was about to leave.
    pub sink: Sink,
}

impl LeakBlocked {
    /// What stands in place of an output that was withheld, wherever it was about to leave.
    pub const NOTICE: &'static str = "[withheld by the leak guard: this held a secret in use]";
}

/// Holds what is needed to recognise every secret in use, and not one secret.
///
/// The program makes one and hands it to whatever has an exit: contexts arm it in the act that
/// fills them, and when they are wiped it goes on looking for the last few. It keeps keyed hashes of 16-byte windows over the
/// secret as it is and in the forms programs write without thinking (base64 at each alignment and
/// twice, hexadecimal, percent and JSON escapes, UTF-16, reversed, in one case, as a list of
/// numbers). The key is random for each guard.
///
/// # Security
/// It does not see what was compressed or encrypted, nor fewer than 16 characters in a row.
pub struct LeakGuard {
    key: Key,
    wire: Mutex<Wire>,
    hits: [AtomicU64; Sink::ALL.len()],
}

struct Wire {
    next: u64,
    current: Arc<Tripwire<u64>>,
    /// Whose each trap is. One that is not in here is no longer looked for, though it may stand in
    /// `current` until that is made anew.
    owners: BTreeMap<u64, Owned>,
    /// Those whose secret was wiped, the first one first.
    wiped: VecDeque<u64>,
}

/// Whose secret a trap is for.
struct Owned {
    trap: Arc<Trap>,
    /// `None` for a secret of the program itself.
    invocation: Option<InvocationId>,
    context: Weak<CredentialContext>,
    held: Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Somebody can use it.
    InUse,
    /// It was wiped.
    Wiped,
}

impl LeakGuard {
    /// Makes a guard that knows no secret yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            key: Key::random(),
            wire: Mutex::new(Wire {
                next: 0,
                current: Arc::new(Tripwire::new(Vec::new())),
                owners: BTreeMap::new(),
                wiped: VecDeque::new(),
            }),
            hits: Default::default(),
        })
    }

    /// Looks for secrets in use in what is about to leave by `sink`.
    ///
    /// # Errors
    /// [`LeakBlocked`] if there is one: `bytes` must not leave, and [`LeakBlocked::NOTICE`] may
    /// stand in their place. The contexts that the secret belongs to are cleared by then, and
    /// [`CredentialContext::withheld`] says so.
    pub fn inspect(&self, sink: Sink, bytes: &[u8]) -> Result<(), LeakBlocked> {
        let wire = Arc::clone(&lock(&self.wire).current);
        let found = wire.find(&self.key, bytes);
        if found.is_empty() {
            return Ok(());
        }
        let contexts = lock(&self.wire).contexts_of(&found);
        if contexts.is_none() {
            return Ok(());
        }
        let blocked = LeakBlocked { sink };
        if let Some(count) = self.hits.get(sink as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // The lock is free here: clearing disarms.
        for context in contexts.unwrap_or_default() {
            context.trip(blocked);
        }
        Err(blocked)
    }

    /// Returns how often something was withheld at `sink`.
    pub fn hits_at(&self, sink: Sink) -> u64 {
        self.hits
            .get(sink as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Returns how often something was withheld in all.
    pub fn hits(&self) -> u64 {
        Sink::ALL.into_iter().map(|sink| self.hits_at(sink)).sum()
    }

    /// Returns what was withheld, if anything was: one of the sinks that have hits.
    pub fn withheld(&self) -> Option<LeakBlocked> {
        let mut sinks = Sink::ALL.into_iter();
        let sink = sinks.find(|sink| self.hits_at(*sink) > 0)?;
        Some(LeakBlocked { sink })
    }

    /// Tells whether any invocation's secret is in use.
    pub fn is_armed(&self) -> bool {
        let wire = lock(&self.wire);
        let mut owners = wire.owners.values();
        owners.any(|owned| owned.invocation.is_some() && owned.held == Held::InUse)
    }

    /// Looks for a secret of the program itself from now on, such as a model provider's key, which
    /// belongs to no invocation. One of fewer than 16 characters is not seen.
    pub fn watch(&self, secret: &str) {
        let mut wire = lock(&self.wire);
        let known = wire.current.find(&self.key, secret.as_bytes());
        let is_ours = |owned: &Owned| owned.invocation.is_none();
        if known
            .iter()
            .any(|id| wire.owners.get(id).is_some_and(is_ours))
        {
            return;
        }
        let trap = Arc::new(Trap::of(&[secret.as_bytes()], &self.key));
        wire.set(Owned {
            trap,
            invocation: None,
            context: Weak::new(),
            held: Held::InUse,
        });
    }

    fn set(self: &Arc<Self>, trap: Arc<Trap>, context: &Arc<CredentialContext>) -> Armed {
        let owned = Owned {
            trap: Arc::clone(&trap),
            invocation: Some(context.invocation()),
            context: Arc::downgrade(context),
            held: Held::InUse,
        };
        let id = lock(&self.wire).set(owned);
        Armed {
            guard: Arc::clone(self),
            trap,
            id,
        }
    }

    /// Notes that the holder of a secret wiped it.
    fn wiped(&self, id: u64) {
        lock(&self.wire).wiped(id);
    }
}

impl Wire {
    fn set(&mut self, owned: Owned) -> u64 {
        let id = self.next;
        self.next += 1;
        self.current = Arc::new(self.current.with(id, Arc::clone(&owned.trap)));
        self.owners.insert(id, owned);
        id
    }

    /// Goes on looking for the last few that were wiped, and forgets the one that was wiped first.
    fn wiped(&mut self, id: u64) {
        let Some(mut owned) = self.owners.remove(&id) else {
            return;
        };
        let mut others = self.owners.values();
        let is_known = others.any(|other| Arc::ptr_eq(&other.trap, &owned.trap));
        if !is_known && !owned.trap.is_empty() {
            owned.held = Held::Wiped;
            self.owners.insert(id, owned);
            self.wiped.push_back(id);
        }
        if self.wiped.len() > REMEMBERED
            && let Some(oldest) = self.wiped.pop_front()
        {
            self.owners.remove(&oldest);
        }
        // Forgotten traps only cost time; they are dropped when they are the most.
        if self.current.len() > 2 * self.owners.len() + REMEMBERED {
            let kept = self.owners.iter();
            let kept = kept.map(|(id, owned)| (*id, Arc::clone(&owned.trap)));
            self.current = Arc::new(Tripwire::new(kept.collect()));
        }
    }

    /// The contexts of the invocations whose traps these are; none, if all of them are forgotten.
    ///
    /// An invocation may have several contexts at a time: the one that it works with, those beside
    /// it, and those that lead to them.
    fn contexts_of(&self, found: &[u64]) -> Option<Vec<Arc<CredentialContext>>> {
        let mut owners = found.iter().filter_map(|id| self.owners.get(id)).peekable();
        owners.peek()?;
        let invocations: BTreeSet<_> = owners.filter_map(|owned| owned.invocation).collect();
        let theirs = self.owners.values();
        let theirs = theirs.filter(|owned| {
            let invocation = owned.invocation.as_ref();
            invocation.is_some_and(|invocation| invocations.contains(invocation))
        });
        Some(theirs.filter_map(|owned| owned.context.upgrade()).collect())
    }
}

impl fmt::Debug for LeakGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakGuard")
            .field("hits", &self.hits())
            .finish_non_exhaustive()
    }
}

/// Secrets that the guard looks for while this exists.
pub(crate) struct Armed {
    guard: Arc<LeakGuard>,
    trap: Arc<Trap>,
    id: u64,
}

impl Armed {
    /// Arms the guard of `context` against these secrets of its invocation.
    pub(crate) fn against(secrets: &[&SecretText], context: &Arc<CredentialContext>) -> Self {
        let guard = context.leak_guard();
        let trap = SecretText::trap(secrets, &guard.key);
        guard.set(Arc::new(trap), context)
    }

    /// Arms the guard of `context` against the same secrets in its hands; `None` if its guard is
    /// another one, with another key.
    pub(crate) fn for_context(&self, context: &Arc<CredentialContext>) -> Option<Self> {
        let guard = context.leak_guard();
        Arc::ptr_eq(guard, &self.guard).then(|| guard.set(Arc::clone(&self.trap), context))
    }

    /// Arms the same guard once more, for a second holder of the same secrets.
    pub(crate) fn again(&self) -> Option<Self> {
        let context = lock(&self.guard.wire)
            .owners
            .get(&self.id)?
            .context
            .upgrade();
        self.for_context(&context?)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.guard.wiped(self.id);
    }
}

impl fmt::Debug for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Armed")
    }
}
