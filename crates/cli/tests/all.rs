//! The shipped program, as a person runs it.

mod suite;
