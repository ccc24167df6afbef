//! The deep agent core: a sans-IO state machine over one thread's event log.
