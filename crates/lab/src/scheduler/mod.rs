//! What follows from the state of the world: time moves, and tasks, targets and deployments with it.
//!
//! Time stands on whole seconds. At each of them every service that is due is looked at once, in a
//! fixed order: autoscaling, the tasks' own lives, health checks, then the deployments. Everything
//! that happens is derived from what the world holds at that moment, so any change that removes the
//! cause of a failure heals the service, and no other does.

mod autoscaling;
mod deployments;
mod health;
mod injection;
mod lifecycle;
mod ordering;
mod placement;
mod program;
mod reachability;
mod start;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::world::{Account, Region, Service, TaskStatus, World};

/// A stopped task can be described for this long (ECS keeps it "at least one hour").
const STOPPED_TASKS_VISIBLE: TimeDelta = TimeDelta::hours(1);
/// A service with nothing due is still looked at this often.
const LONGEST_SLEEP: TimeDelta = TimeDelta::hours(1);

impl World {
    /// Moves virtual time forward to `to`, deriving everything that happens on the way.
    ///
    /// How the way is cut into calls makes no difference; a time in the past changes nothing.
    pub(crate) fn advance(&mut self, to: DateTime<Utc>) {
        let second = TimeDelta::seconds(1);
        let Ok(floor) = self.now.duration_trunc(second) else {
            return;
        };
        let mut tick = if floor == self.now {
            floor
        } else {
            floor + second
        };
        while tick <= to {
            self.now = self.now.max(tick);
            self.tick(tick);
            let wake = self
                .accounts
                .values()
                .flat_map(|account| account.regions.values())
                .flat_map(|region| region.services.values())
                .map(|service| service.wakes_at)
                .min();
            let Some(wake) = wake else { break };
            tick = wake
                .duration_trunc(second)
                .unwrap_or(wake)
                .max(tick + second);
        }
        self.now = self.now.max(to);
    }

    fn tick(&mut self, now: DateTime<Utc>) {
        for account in self.accounts.values_mut() {
            // The regions step aside so that the account's roles can be read meanwhile.
            let mut regions = std::mem::take(&mut account.regions);
            for region in regions.values_mut() {
                let due: Vec<String> = region
                    .services
                    .iter()
                    .filter(|(_, service)| service.wakes_at <= now)
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in due {
                    if let Some(mut service) = region.services.remove(&key) {
                        Tick {
                            account,
                            region,
                            now,
                        }
                        .service(&mut service);
                        region.services.insert(key, service);
                    }
                }
            }
            account.regions = regions;
        }
    }
}

/// One look at one service.
struct Tick<'a> {
    account: &'a Account,
    region: &'a mut Region,
    now: DateTime<Utc>,
}

impl Tick<'_> {
    fn service(&mut self, service: &mut Service) {
        self.autoscale(service);
        let mut tasks = std::mem::take(&mut service.tasks);
        for task in &mut tasks {
            self.live(service, task);
        }
        service.tasks = tasks;
        self.check_health(service);
        self.deploy(service);
        let horizon = self.now - STOPPED_TASKS_VISIBLE;
        service
            .tasks
            .retain(|task| task.stopped_at.is_none_or(|stopped| stopped > horizon));
        service.recount();
        service.wakes_at = self.next_wake(service);
    }

    /// The first moment at which the service may change by itself.
    fn next_wake(&self, service: &Service) -> DateTime<Utc> {
        let mut wake = self.now + LONGEST_SLEEP;
        let mut at = |time: DateTime<Utc>| {
            if time > self.now && time < wake {
                wake = time;
            }
        };
        at(service.next_launch_at);
        for task in &service.tasks {
            if let Some(stopped) = task.stopped_at {
                at(stopped + STOPPED_TASKS_VISIBLE);
                continue;
            }
            if task.last_status != TaskStatus::Running || !task.is_wanted() {
                at(task.phase_ends_at);
                continue;
            }
            if let Some(ending) = &task.ending {
                at(ending.at);
            }
            for time in Self::program_times(service, task) {
                at(time);
            }
        }
        for time in self.target_times(service) {
            at(time);
        }
        if let Some(said) = service.steady_said_at {
            at(said + deployments::STEADY_STATE_REPEATS);
        }
        if let Some(time) = self.autoscaling_time(service) {
            at(time);
        }
        wake
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod laws_tests;
#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
