//! The state that all connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::clock::{ClockMode, LabClock};
use super::journal::{Journal, RequestRecord};
use crate::iam::{Directory, Identity};
use crate::wire::ApiError;
use crate::world::World;

/// The role that every account of a lab has for the agent.
const AGENT_ROLE: &str = "ecs-deep-agent";

/// An account of the lab with the keys that open it. They open nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabAccount {
    /// Twelve digits.
    pub account_id: String,
    /// The regions in which it holds something, in order; the first is the one to start with.
    pub regions: Vec<String>,
    /// The role to assume.
    pub role_arn: String,
    /// What the role's trust policy asks for.
    pub external_id: String,
    /// One key pair for each IAM user.
    pub keys: Vec<LabKeys>,
}

/// A long-lived key pair of the lab.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabKeys {
    /// The IAM user's name.
    pub user: String,
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key: generated, and worthless outside the lab.
    pub secret_access_key: String,
}

impl std::fmt::Debug for LabKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabKeys")
            .field("user", &self.user)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// One lab. The locks are held for one request's work and never across an await.
pub(super) struct Lab {
    world: Mutex<World>,
    directory: Mutex<Directory>,
    journal: Mutex<Journal>,
    clock: Mutex<LabClock>,
    accounts: Vec<LabAccount>,
    latency: Duration,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab").field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

impl Lab {
    pub(super) fn new(world: World, clock: ClockMode, latency: Duration) -> Self {
        let directory = Directory::of(&world);
        let accounts = world.accounts.values().map(|account| LabAccount {
            account_id: account.id.clone(),
            regions: account.regions.keys().cloned().collect(),
            role_arn: format!("arn:aws:iam::{}:role/{AGENT_ROLE}", account.id),
            external_id: account.external_id.clone(),
            keys: account
                .users
                .values()
                .flat_map(|user| user.access_keys.iter().map(|key| (user.name.clone(), key)))
                .map(|(user, key)| LabKeys {
                    user,
                    access_key_id: key.access_key_id.clone(),
                    secret_access_key: key.secret_access_key.clone(),
                })
                .collect(),
        });
        Self {
            accounts: accounts.collect(),
            clock: Mutex::new(LabClock::new(clock, world.now)),
            directory: Mutex::new(directory),
            journal: Mutex::default(),
            latency,
            world: Mutex::new(world),
        }
    }

    pub(super) fn accounts(&self) -> &[LabAccount] {
        &self.accounts
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    /// The world, brought up to the present.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let now = self.now();
        let mut world = lock(&self.world);
        world.advance(now);
        world
    }

    pub(super) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.directory)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        lock(&self.clock).now()
    }

    pub(super) fn advance(&self, by: Duration) -> DateTime<Utc> {
        lock(&self.clock).add(by);
        self.world().now
    }

    pub(super) fn expire_credentials(&self, access_key_id: Option<&str>) -> usize {
        self.directory().expire(access_key_id, Utc::now())
    }

    pub(super) fn record(&self, record: RequestRecord) {
        lock(&self.journal).add(record);
    }

    pub(super) fn requests(&self, after: u64) -> Vec<RequestRecord> {
        lock(&self.journal).after(after)
    }

    /// Faults of the wire that the scenario asks for.
    pub(super) fn inject(
        &self,
        _caller: &Identity,
        _region: &str,
        _service: &str,
        _operation: &str,
    ) -> Result<(), ApiError> {
        Ok(())
    }
}

/// A handler that panicked leaves the lab usable: the data is plain, and a test wants the error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
