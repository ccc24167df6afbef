//! Laws of the machine over random and over all small histories.

#![expect(
    clippy::disallowed_methods,
    reason = "the simulation may be told how much to try, and where to begin"
)]

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the few events that it is about"
)]
mod suite;
