//! One run a thread: who may drive it now.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ecs_agent_runtime::{RunId, ThreadId};

use crate::database::query;
use crate::error::{LeaseError, StoreError, While as _};
use crate::process::{Liveness, ProcessIdentity};
use crate::store::Store;
use crate::tenant::TenantScope;
use crate::threads::about_thread;

/// Who wants to run a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOwner {
    run: RunId,
    process: Option<ProcessIdentity>,
}

impl RunOwner {
    /// A run of this process. If the process dies, its lease can be taken over at once by another
    /// one that can see that (same machine, boot and container); otherwise after its expiry.
    #[must_use]
    pub fn this_process(run: RunId) -> Self {
        Self {
            run,
            process: ProcessIdentity::current(),
        }
    }

    /// A run of a process that nobody can look at: its lease ends by time alone.
    #[must_use]
    pub const fn unseen(run: RunId) -> Self {
        Self { run, process: None }
    }

    /// A run of some other process.
    #[must_use]
    pub const fn of_process(run: RunId, process: ProcessIdentity) -> Self {
        Self {
            run,
            process: Some(process),
        }
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }
}

/// The right to run a thread until it expires. Renew it well before, release it at the end.
///
/// It keeps honest processes apart. What keeps a log whole is [`Store::append`]: an owner that
/// was taken over gets a conflict at its next event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an unreleased lease blocks the thread until it expires"]
pub struct RunLease {
    thread: ThreadId,
    owner: RunOwner,
    expires_at: DateTime<Utc>,
}

impl RunLease {
    /// The thread.
    #[must_use]
    pub const fn thread(&self) -> ThreadId {
        self.thread
    }

    /// The run that has it.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.owner.run
    }

    /// When it ends, unless renewed.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

impl Store {
    /// Takes the right to run a thread: if nobody has it, if it expired, or if the process that
    /// has it is seen to be dead.
    ///
    /// # Errors
    /// [`LeaseError::Held`] if another run has it.
    pub async fn acquire_run(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        owner: &RunOwner,
        now: DateTime<Utc>,
        lasts: Duration,
    ) -> Result<RunLease, LeaseError> {
        self.take_run(scope, thread, owner, now, lasts, Claim::IfFree)
            .await
    }

    /// Takes the right to run a thread from whoever has it: for a person who knows that the other
    /// process is gone, where this one cannot see it. If it is not gone, it gets a conflict at its
    /// next event and stops.
    ///
    /// # Errors
    /// If there is no such thread or the database fails.
    pub async fn take_over_run(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        owner: &RunOwner,
        now: DateTime<Utc>,
        lasts: Duration,
    ) -> Result<RunLease, LeaseError> {
        self.take_run(scope, thread, owner, now, lasts, Claim::Anyway)
            .await
    }

    /// Extends a lease from now.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] if another run took it over: stop at once.
    pub async fn renew_run(
        &self,
        scope: &TenantScope,
        lease: &RunLease,
        now: DateTime<Utc>,
        lasts: Duration,
    ) -> Result<RunLease, LeaseError> {
        let expires_at = expiry(now, lasts);
        let renewed = query(
            "UPDATE thread_runs SET expires_ms = $4 WHERE tenant = $1 AND thread = $2 AND owner = $3",
        )
        .bind(scope.as_str())
        .bind(lease.thread.to_string())
        .bind(lease.owner.run.to_string())
        .bind(expires_at.timestamp_millis())
        .execute(&mut self.writer(scope).await?)
        .await
        .while_("renewing a lease")?;
        if renewed == 0 {
            return Err(LeaseError::Lost {
                thread: lease.thread,
            });
        }
        Ok(RunLease {
            expires_at,
            ..lease.clone()
        })
    }

    /// Gives a lease back. If it was taken over meanwhile, nothing happens.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn release_run(
        &self,
        scope: &TenantScope,
        lease: RunLease,
    ) -> Result<(), StoreError> {
        query("DELETE FROM thread_runs WHERE tenant = $1 AND thread = $2 AND owner = $3")
            .bind(scope.as_str())
            .bind(lease.thread.to_string())
            .bind(lease.owner.run.to_string())
            .execute(&mut self.writer(scope).await?)
            .await
            .while_("releasing a lease")?;
        Ok(())
    }

    async fn take_run(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        owner: &RunOwner,
        now: DateTime<Utc>,
        lasts: Duration,
        claim: Claim,
    ) -> Result<RunLease, LeaseError> {
        const DOING: &str = "taking a lease";
        let mut writer = self.writer(scope).await?;
        let mut transaction = writer
            .begin_write(&about_thread(scope, thread))
            .await
            .while_(DOING)?;
        let held = query(
            "SELECT owner, process, expires_ms FROM thread_runs WHERE tenant = $1 AND thread = $2",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .fetch_optional(&mut transaction)
        .await
        .while_(DOING)?;
        if let Some(row) = held {
            let holder = row.text("owner").while_(DOING)?;
            let process = row.optional_text("process").while_(DOING)?;
            let expires_ms = row.integer("expires_ms").while_(DOING)?;
            let expires_at = DateTime::from_timestamp_millis(expires_ms).unwrap_or_default();
            let dead = process
                .and_then(|process| process.parse::<ProcessIdentity>().ok())
                .is_some_and(|process| process.liveness() == Liveness::Dead);
            let free = holder == owner.run.to_string() || expires_at <= now || dead;
            if claim == Claim::IfFree && !free {
                return Err(LeaseError::Held {
                    thread,
                    owner: holder,
                    expires_at,
                });
            }
        }
        let expires_at = expiry(now, lasts);
        let taken = query(
            "INSERT INTO thread_runs (tenant, thread, owner, process, expires_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, thread) DO UPDATE \
             SET owner = excluded.owner, process = excluded.process, expires_ms = excluded.expires_ms",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .bind(owner.run.to_string())
        .bind(owner.process.as_ref().map(ToString::to_string))
        .bind(expires_at.timestamp_millis())
        .execute(&mut transaction)
        .await;
        match taken {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                return Err(StoreError::ThreadNotFound(thread).into());
            }
            Err(source) => {
                return Err(StoreError::Database {
                    doing: DOING,
                    source,
                }
                .into());
            }
        }
        transaction.commit().await.while_(DOING)?;
        Ok(RunLease {
            thread,
            owner: owner.clone(),
            expires_at,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    IfFree,
    Anyway,
}

/// In milliseconds, as it is stored, so that what is returned equals what is read.
fn expiry(now: DateTime<Utc>, lasts: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lasts)
        .ok()
        .and_then(|lasts| now.checked_add_signed(lasts))
        .and_then(|at| DateTime::from_timestamp_millis(at.timestamp_millis()))
        .unwrap_or(now)
}
