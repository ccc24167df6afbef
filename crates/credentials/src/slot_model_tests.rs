//! The slot under a model checker: the same source file, compiled against its locks.
//!
//! Four invocations run four tasks each: one fills, one renews, one signs, one ends the invocation.
//! The scheduler decides at every lock and atomic who goes on. No task yields by itself: a scheduler
//! by priority would then always let it go last. A failure prints the schedule to replay.

mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

#[expect(
    clippy::duplicate_mod,
    reason = "compiled a second time on purpose, against other locks"
)]
#[path = "slot.rs"]
mod slot;

use std::panic::catch_unwind;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::{Config, Runner, thread};

use slot::{Phase, Refused, Slot};

const INVOCATIONS: usize = 4;
/// Random ones, and as many again by priorities that change at three points.
const SCHEDULES: usize = 10_000;
const SEED: u64 = 0x6b65_7973;

/// Whether each invocation has a slot of its own.
#[derive(Debug, Clone, Copy)]
enum Isolation {
    Own,
    /// The mistake this crate exists to rule out.
    Global,
}

/// Keys that know whose they are, and are counted while they exist.
struct Keys {
    owner: usize,
    alive: Arc<AtomicUsize>,
}

impl Keys {
    fn of(invocation: &Invocation) -> Self {
        invocation.alive.fetch_add(1, Ordering::SeqCst);
        Self {
            owner: invocation.number,
            alive: Arc::clone(&invocation.alive),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Invocation {
    number: usize,
    slot: Arc<Slot<Keys>>,
    ended: Arc<AtomicBool>,
    alive: Arc<AtomicUsize>,
}

impl Invocation {
    fn new(number: usize, slot: &Arc<Slot<Keys>>) -> Self {
        Self {
            number,
            slot: Arc::clone(slot),
            ended: Arc::new(AtomicBool::new(false)),
            alive: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Resolves and fills, unless it is cancelled on the way.
    fn fill(&self) {
        let was_over = self.ended.load(Ordering::SeqCst);
        let Ok(ticket) = self.slot.begin() else {
            return;
        };
        assert!(!was_over, "a fill began after the end");
        let keys = Keys::of(self);
        if thread_rng().gen_ratio(1, 4) {
            return;
        }
        let was_over = self.ended.load(Ordering::SeqCst);
        match self.slot.commit(&ticket, keys) {
            Ok(()) => assert!(!was_over, "a fill arrived after the end"),
            Err(Refused::Cleared | Refused::Superseded) => {}
        }
    }

    fn sign(&self) {
        let was_over = self.ended.load(Ordering::SeqCst);
        let signer = self.slot.read(|keys| keys.owner);
        match signer {
            Ok(owner) => {
                assert_eq!(owner, self.number, "signed with another invocation's keys");
                assert!(!was_over, "signed after the end");
            }
            Err(Phase::Empty) => assert!(!was_over, "empty again after the end"),
            Err(Phase::Cleared | Phase::Filled) => {}
        }
    }

    fn end(&self) {
        self.slot.clear();
        self.ended.store(true, Ordering::SeqCst);
        assert_eq!(self.slot.phase(), Phase::Cleared);
    }
}

fn world(isolation: Isolation) {
    let global = Arc::new(Slot::new());
    let invocations: Vec<Invocation> = (0..INVOCATIONS)
        .map(|number| match isolation {
            Isolation::Own => Invocation::new(number, &Arc::new(Slot::new())),
            Isolation::Global => Invocation::new(number, &global),
        })
        .collect();
    let mut tasks = Vec::new();
    for invocation in &invocations {
        let run = |task: fn(&Invocation)| {
            let invocation = invocation.clone();
            thread::spawn(move || task(&invocation))
        };
        tasks.push(run(Invocation::fill));
        tasks.push(run(|invocation| {
            invocation.fill();
            invocation.sign();
        }));
        tasks.push(run(|invocation| {
            invocation.sign();
            invocation.sign();
        }));
        tasks.push(run(Invocation::end));
    }
    for task in tasks {
        task.join().unwrap();
    }
    for invocation in &invocations {
        assert_eq!(invocation.slot.phase(), Phase::Cleared);
        assert_eq!(
            invocation.alive.load(Ordering::SeqCst),
            0,
            "keys outlived their invocation"
        );
    }
}

fn check_random(isolation: Isolation, schedules: usize) {
    println!("seed {SEED:#x}, {schedules} random schedules");
    let scheduler = RandomScheduler::new_from_seed(SEED, schedules);
    Runner::new(scheduler, Config::new()).run(move || world(isolation));
}

fn check_by_priority(isolation: Isolation, schedules: usize) {
    println!("seed {SEED:#x}, {schedules} schedules by priority");
    let scheduler = PctScheduler::new_from_seed(SEED, 3, schedules);
    Runner::new(scheduler, Config::new()).run(move || world(isolation));
}

#[test]
fn no_random_schedule_crosses_invocations_or_outlives_the_end() {
    check_random(Isolation::Own, SCHEDULES);
}

#[test]
fn no_schedule_by_priority_crosses_invocations_or_outlives_the_end() {
    check_by_priority(Isolation::Own, SCHEDULES);
}

/// The positive control.
#[test]
fn a_global_slot_is_caught_within_a_hundred_schedules() {
    assert!(catch_unwind(|| check_random(Isolation::Global, 100)).is_err());
    assert!(catch_unwind(|| check_by_priority(Isolation::Global, 100)).is_err());
}

#[test]
fn a_slow_fill_does_not_undo_a_later_one() {
    shuttle::check_random(
        || {
            let slot = Slot::new();
            let slow = slot.begin().unwrap();
            let fast = slot.begin().unwrap();
            slot.commit(&fast, "operate").unwrap();
            assert_eq!(slot.commit(&slow, "observe"), Err(Refused::Superseded));
            assert_eq!(slot.read(|scope| *scope), Ok("operate"));
            assert_eq!(slot.take(), Ok("operate"));
            assert_eq!(slot.take(), Err(Phase::Cleared));
            assert_eq!(slot.begin().map(|_| ()), Err(Refused::Cleared));
        },
        1,
    );
}
