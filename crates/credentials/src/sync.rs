//! The locks this crate uses, in one place; `slot_model_tests.rs` puts a model checker's here.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also after a panic: for state whose every change is a single assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
