//! The agent against the fault lab, over the wire.

mod suite;
