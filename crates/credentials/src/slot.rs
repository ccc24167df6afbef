//! The holder at the heart of a context: empty, filled, cleared, in that order and for ever.
//!
//! The locks come from `super::sync`, so that the very same file is also compiled against a model
//! checker's locks in `slot_model_tests.rs`.

use super::sync::{Mutex, MutexGuard, PoisonError};

/// Holds one value for one invocation.
///
/// The lock is never held across an await, and a panic under it cannot leave a half-made state:
/// every transition is a single assignment. So a poisoned lock is still a good one, and clearing
/// works after a panic.
#[derive(Debug)]
pub(crate) struct Slot<V>(Mutex<Inner<V>>);

#[derive(Debug)]
struct Inner<V> {
    /// Grows with every fill, so that a slow fill cannot overwrite a later one.
    generation: u64,
    held: Held<V>,
}

#[derive(Debug)]
enum Held<V> {
    Empty,
    Filled(V),
    Cleared,
}

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    Filled,
    Cleared,
}

/// The right to fill a slot as it was when the ticket was drawn.
#[derive(Debug)]
#[must_use]
pub(crate) struct Ticket {
    generation: u64,
}

/// Why a slot did not take a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The slot was cleared, and stays so.
    Cleared,
    /// Another fill came first.
    Superseded,
}

impl<V> Slot<V> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner {
            generation: 0,
            held: Held::Empty,
        }))
    }

    /// Announces a fill. The value may take a while to get; see [`Slot::commit`].
    pub(crate) fn begin(&self) -> Result<Ticket, Refused> {
        let inner = self.lock();
        match inner.held {
            Held::Empty | Held::Filled(_) => Ok(Ticket {
                generation: inner.generation,
            }),
            Held::Cleared => Err(Refused::Cleared),
        }
    }

    /// Puts `value` in, replacing an earlier one, unless the slot was cleared or filled since.
    pub(crate) fn commit(&self, ticket: &Ticket, value: V) -> Result<(), Refused> {
        let mut inner = self.lock();
        match inner.held {
            Held::Cleared => Err(Refused::Cleared),
            Held::Empty | Held::Filled(_) if inner.generation != ticket.generation => {
                Err(Refused::Superseded)
            }
            Held::Empty | Held::Filled(_) => {
                inner.generation += 1;
                inner.held = Held::Filled(value);
                Ok(())
            }
        }
    }

    /// Shows the value to `reader`, or says why there is none.
    pub(crate) fn read<R>(&self, reader: impl FnOnce(&V) -> R) -> Result<R, Phase> {
        let inner = self.lock();
        match &inner.held {
            Held::Empty => Err(Phase::Empty),
            Held::Filled(value) => Ok(reader(value)),
            Held::Cleared => Err(Phase::Cleared),
        }
    }

    /// Moves the value out and leaves the slot cleared.
    pub(crate) fn take(&self) -> Result<V, Phase> {
        match self.replace(Held::Cleared) {
            Held::Empty => Err(Phase::Empty),
            Held::Filled(value) => Ok(value),
            Held::Cleared => Err(Phase::Cleared),
        }
    }

    /// Drops the value and refuses every later one.
    pub(crate) fn clear(&self) {
        drop(self.replace(Held::Cleared));
    }

    pub(crate) fn phase(&self) -> Phase {
        self.read(|_| ()).err().unwrap_or(Phase::Filled)
    }

    fn replace(&self, held: Held<V>) -> Held<V> {
        let mut inner = self.lock();
        std::mem::replace(&mut inner.held, held)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
