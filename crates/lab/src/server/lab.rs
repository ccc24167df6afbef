//! The state that all connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::{ClockMode, LabClock};
use super::faults::{Afterwards, WireFault, WireFaults};
use super::journal::{Journal, RequestRecord};
use crate::iam::Directory;
use crate::oracle::{Baseline, HealthReport};
use crate::scenario::{Scenario, ScenarioError, Simulation, Truth};
use crate::wire::ApiError;
use crate::world::{AccessKey, Account, Ids, Role, RolePolicy, User, World, uuid_shaped};

/// The role that every account of a lab has for the agent.
const AGENT_ROLE: &str = "ecs-deep-agent";
/// How long one request may compute the past before it is answered.
const CATCH_UP: Duration = Duration::from_millis(50);
/// The role that the server adds to every account for those who reach the agent's by way of another.
const HUB_ROLE: &str = "ecs-deep-agent-hub";
/// The user that the server adds to every account for people who only look.
const ENGINEER: &str = "engineer";

/// An account of the lab with the keys that open it. They open nothing else.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabAccount {
    /// Twelve digits.
    pub account_id: String,
    /// The regions in which it holds something, in alphabetical order.
    pub regions: Vec<String>,
    /// The key of the user that may do nothing but assume the role.
    pub access_key_id: String,
    /// That key's secret: generated, and worthless outside the lab.
    pub secret_access_key: String,
    /// The role to assume.
    pub role_arn: String,
    /// What the role's trust policy asks for.
    pub external_id: String,
    /// A role that the user may assume, and whose sessions may do nothing but assume the other.
    pub hub_role_arn: String,
    /// The key of a user with the role's permissions, for a person with the AWS CLI.
    pub engineer: LabKeys,
}

impl std::fmt::Debug for LabAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabAccount")
            .field("account_id", &self.account_id)
            .field("access_key_id", &self.access_key_id)
            .field("engineer", &self.engineer)
            .finish_non_exhaustive()
    }
}

/// A long-lived key pair of the lab.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabKeys {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for LabKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabKeys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Temporary credentials that the lab's STS issued, for a test that looks for what is left of them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabSession {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// The role session's name.
    pub session_name: String,
    /// The account of the role.
    pub account_id: String,
}

impl std::fmt::Debug for LabSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabSession")
            .field("access_key_id", &self.access_key_id)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

/// One lab. The locks are held for one request's work and never across an await.
pub(super) struct Lab {
    name: String,
    title: String,
    request: String,
    baseline: Baseline,
    faults: Mutex<WireFaults>,
    world: Mutex<World>,
    directory: Mutex<Directory>,
    journal: Mutex<Journal>,
    request_ids: Mutex<Ids>,
    clock: Mutex<LabClock>,
    accounts: Vec<LabAccount>,
    latency: Duration,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab")
            .field("accounts", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

impl Lab {
    pub(super) fn new(
        scenario: &Scenario,
        clock: ClockMode,
        latency: Duration,
    ) -> Result<Self, ScenarioError> {
        let Simulation {
            mut world,
            baseline,
        } = match clock {
            ClockMode::Manual => scenario.simulate()?,
            // A person who watches wants to see today's dates.
            ClockMode::Speed(_) => scenario.simulate_at(Utc::now().trunc_subsecs(0))?,
        };
        let seed = world.seed;
        world.accounts.values_mut().for_each(|account| {
            add_engineer(account, seed);
            add_hub(account, seed);
        });
        // The lab's own people and roles are there from the start: they are nobody's change.
        let baseline = baseline.beginning_with(&world);
        let directory = Directory::of(&world);
        let accounts = world.accounts.values().map(describe_account).collect();
        Ok(Self {
            name: scenario.name().to_owned(),
            title: scenario.title().to_owned(),
            request: scenario.request().to_owned(),
            accounts,
            baseline,
            clock: Mutex::new(LabClock::new(clock, world.now)),
            directory: Mutex::new(directory),
            faults: Mutex::default(),
            journal: Mutex::default(),
            request_ids: Mutex::new(Ids::new(seed, "requests")),
            latency,
            world: Mutex::new(world),
        })
    }

    /// What everybody may know about the scenario.
    pub(super) fn scenario(&self) -> Value {
        json!({"name": self.name, "title": self.title, "request": self.request})
    }

    /// What a person would ask.
    pub(super) fn request(&self) -> &str {
        &self.request
    }

    pub(super) fn truth(&self) -> &Truth {
        self.baseline.truth()
    }

    pub(super) fn health(&self) -> HealthReport {
        self.baseline.judge(&self.world())
    }

    pub(super) fn accounts(&self) -> &[LabAccount] {
        &self.accounts
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    /// The world, brought up to the present.
    ///
    /// A big world under a fast clock may take longer to compute than the time it computes. Then
    /// the clock slows down instead of the answers.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = lock(&self.world);
        let (now, runs) = {
            let clock = lock(&self.clock);
            (clock.now(), clock.runs())
        };
        if !runs {
            world.advance(now);
            return world;
        }
        let begun = Instant::now();
        while world.now < now && begun.elapsed() < CATCH_UP {
            let next = (world.now + TimeDelta::seconds(1)).min(now);
            world.advance(next);
        }
        if world.now < now {
            lock(&self.clock).slip(now - world.now);
        }
        world
    }

    pub(super) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.directory)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        lock(&self.clock).now()
    }

    pub(super) fn advance(&self, by: Duration) -> DateTime<Utc> {
        let mut world = lock(&self.world);
        let now = {
            let mut clock = lock(&self.clock);
            clock.add(by);
            clock.now()
        };
        world.advance(now);
        world.now
    }

    pub(super) fn expire_credentials(&self, access_key_id: Option<&str>) -> usize {
        self.directory().expire(access_key_id, Utc::now())
    }

    pub(super) fn sessions(&self) -> Vec<LabSession> {
        let directory = self.directory();
        let sessions = directory.sessions().map(|(id, secret, token, whose)| {
            let session = whose.session.as_ref();
            LabSession {
                access_key_id: id.to_owned(),
                secret_access_key: secret.to_owned(),
                session_token: token.to_owned(),
                session_name: session.map(|s| s.name.clone()).unwrap_or_default(),
                account_id: whose.account.clone(),
            }
        });
        sessions.collect()
    }

    /// The id of the next answer: as many requests in the same order, the same ids.
    pub(super) fn next_request_id(&self) -> String {
        uuid_shaped(&lock(&self.request_ids).hex(32))
    }

    pub(super) fn record(&self, record: RequestRecord) {
        lock(&self.journal).add(record);
    }

    pub(super) fn requests(&self, after: u64) -> Vec<RequestRecord> {
        lock(&self.journal).after(after)
    }

    pub(super) fn add_fault(&self, fault: WireFault) {
        lock(&self.faults).add(fault);
    }

    /// The failure that awaits this request, if one was injected.
    pub(super) fn fault(
        &self,
        service: &str,
        operation: &str,
    ) -> Result<Option<Afterwards>, ApiError> {
        lock(&self.faults).take(service, operation)
    }
}

fn add_engineer(account: &mut Account, seed: u64) {
    let mut ids = Ids::new(seed, &format!("{}/engineer", account.id));
    let inline_policies = account
        .roles
        .get(AGENT_ROLE)
        .map(|role| role.inline_policies.clone())
        .unwrap_or_default();
    let user = User {
        name: ENGINEER.to_owned(),
        arn: format!("arn:aws:iam::{}:user/{ENGINEER}", account.id),
        id: format!("AIDA{}", ids.base32(16)),
        access_keys: vec![AccessKey {
            access_key_id: format!("AKIA{}", ids.base32(16)),
            secret_access_key: ids.hex(40),
        }],
        inline_policies,
    };
    account.users.insert(ENGINEER.to_owned(), user);
}

/// Adds a role that the account's user may assume, and that may do nothing but assume the agent's.
fn add_hub(account: &mut Account, seed: u64) {
    let Some(agent) = account.roles.get_mut(AGENT_ROLE) else {
        return;
    };
    let mut ids = Ids::new(seed, &format!("{}/hub", account.id));
    let arn = format!("arn:aws:iam::{}:role/{HUB_ROLE}", account.id);
    let actions = json!(["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]);
    let of_account = json!({
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{}:root", account.id)},
        "Action": actions,
        "Condition": {"ArnLike": {"aws:PrincipalArn": format!("*/{HUB_ROLE}*")}},
    });
    let statements = agent
        .trust
        .get_mut("Statement")
        .and_then(Value::as_array_mut);
    if let Some(statements) = statements {
        statements.push(of_account);
    }
    let agent_arn = agent.arn.clone();
    let created_at = agent.created_at;
    let users = account.users.values_mut();
    let operators: Vec<String> = users
        .filter(|user| user.name != ENGINEER)
        .map(|user| {
            for policy in &mut user.inline_policies {
                let statement = policy.document.pointer_mut("/Statement/0/Resource");
                if let Some(Value::Array(resources)) = statement {
                    resources.push(json!(arn));
                }
            }
            user.arn.clone()
        })
        .collect();
    let role = Role {
        name: HUB_ROLE.to_owned(),
        arn,
        id: format!("AROA{}", ids.base32(16)),
        trust: json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": operators}, "Action": actions},
            ],
        }),
        inline_policies: vec![RolePolicy {
            name: "assume-agent-role".to_owned(),
            document: json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [agent_arn]}],
            }),
        }],
        attached_policies: Vec::new(),
        created_at,
    };
    account.roles.insert(role.name.clone(), role);
}

fn describe_account(account: &Account) -> LabAccount {
    let keys = |wanted: &dyn Fn(&str) -> bool| {
        let users = account.users.values().filter(|user| wanted(&user.name));
        let key = users.flat_map(|user| &user.access_keys).next();
        LabKeys {
            access_key_id: key.map(|key| key.access_key_id.clone()).unwrap_or_default(),
            secret_access_key: key
                .map(|key| key.secret_access_key.clone())
                .unwrap_or_default(),
        }
    };
    let operator = keys(&|name| name != ENGINEER);
    LabAccount {
        account_id: account.id.clone(),
        regions: account.regions.keys().cloned().collect(),
        access_key_id: operator.access_key_id,
        secret_access_key: operator.secret_access_key,
        role_arn: format!("arn:aws:iam::{}:role/{AGENT_ROLE}", account.id),
        external_id: account.external_id.clone(),
        hub_role_arn: format!("arn:aws:iam::{}:role/{HUB_ROLE}", account.id),
        engineer: keys(&|name| name == ENGINEER),
    }
}

/// A handler that panicked leaves the lab usable: the data is plain, and a test wants the error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
