//! Threads, events, reports and audit in SQLite.
