//! Text that others wrote, on its way to a person or to a language model.
//!
//! Whoever can log a line, name a resource or answer a call writes text that this program shows.
//! Two things are done to it, and this crate is the one place for both. Characters that act instead
//! of showing are made visible, for every sink alike ([`escape`], [`escape_line`]). What goes to a
//! language model is put between two delimiters that the text cannot contain ([`frame`]).
//!
//! **Invariant:** pure functions of their arguments. What nobody may guess arrives as a
//! [`FrameKey`]; there is no randomness in here.

mod active;
mod frame;

pub use active::{escape, escape_line, is_active};
pub use frame::{FrameKey, frame, framed_content};
