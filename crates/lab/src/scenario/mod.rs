//! Scenarios: a healthy world, what happened to it, and the truth about it.
