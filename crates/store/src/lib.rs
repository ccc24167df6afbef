//! Threads, events, reports, audit and API keys, in SQLite or PostgreSQL.
//!
//! A [`Store`] is a cheap handle on one database. By default it is a file in WAL mode with
//! `synchronous = FULL`, so that an event that was appended survives `kill -9` and power loss, or
//! memory for tests: writes go one after another over one connection; reads have their own and never
//! wait for a write. By URL it is a PostgreSQL database, which several processes may share. Every
//! statement is written once and holds for both; `database/` knows the difference.
//!
//! - Events are append-only and numbered without a gap; [`Store::append`] takes the number that
//!   the caller believes is the last, so two writers never interleave.
//! - An approval is used up in the same transaction as the event that acts on it
//!   ([`Store::consume_approval`]), so it is used at most once, whatever crashes.
//! - Audit records form a hash chain ([`Store::audit_verify`]).
//! - One process runs a thread at a time ([`Store::acquire_run`]); a dead owner's lease is taken
//!   over at once where its death can be seen, and after its expiry where it cannot.
//!
//! Every read and write takes a [`TenantScope`]; without one there is no way to a row. Times are
//! passed in: nothing here reads a clock.

mod api_keys;
mod audit;
mod database;
mod error;
mod events;
mod lease;
mod process;
mod reports;
mod store;
mod tenant;
mod threads;

pub use api_keys::{ApiKeyId, ApiKeyIdError, ApiKeyRecord};
pub use audit::{AuditChain, AuditEntry, AuditError, AuditRecord};
pub use error::{AppendError, LeaseError, OpenError, StoreError};
pub use events::{Approval, ConsumedApproval, Seq, StoredEvent};
pub use lease::{RunLease, RunOwner};
pub use process::{Liveness, ProcessIdentity};
pub use reports::Report;
pub use store::Store;
pub use tenant::{TenantId, TenantIdError, TenantScope};
pub use threads::{RecordStatus, ThreadRecord};
