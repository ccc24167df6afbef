//! Health checks: the load balancer's on its targets, and what the container's own would find.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Tick;
use super::program::{Answer, ask, write_log};
use crate::world::{
    Container, ContainerDefinition, ContainerHealthCheck, HealthCheckPort, Service, Target,
    TargetGroup, TargetReason, TargetState, TargetType, Task,
};

impl Tick<'_> {
    /// Checks the targets that are due and lets the service replace what has failed.
    pub(super) fn check_health(&mut self, service: &mut Service) {
        for arn in target_groups_of(service) {
            let Some(mut group) = self.region.target_groups.remove(&arn) else {
                self.miss_group(service, &arn);
                continue;
            };
            self.check_targets(service, &mut group);
            self.replace_unhealthy(service, &group);
            if group
                .targets
                .iter()
                .all(|target| target.drained_at.is_none())
            {
                service.draining.retain(|left| *left != arn);
            }
            self.region.target_groups.insert(arn, group);
        }
    }

    /// A target group that the service uses was deleted.
    fn miss_group(&self, service: &mut Service, arn: &str) {
        let running = service
            .tasks
            .iter()
            .find(|task| task.is_running() && task.is_wanted());
        if let Some(task) = running {
            let text = format!(
                "(task {}) is not healthy in target-group ({arn}) due to TARGET GROUP IS NOT FOUND.",
                task.id
            );
            self.say_now_and_then(service, &text);
        }
    }

    fn check_targets(&mut self, service: &Service, group: &mut TargetGroup) {
        let now = self.now;
        group
            .targets
            .retain(|target| target.drained_at.is_none_or(|end| end > now));
        let mut targets = std::mem::take(&mut group.targets);
        for target in &mut targets {
            if target.state == TargetState::Draining {
                continue;
            }
            if let Some(why) = self.unused(group, target) {
                target.state = TargetState::Unused;
                target.reason = Some(TargetReason::NotInUse);
                target.description = Some(why.to_owned());
                continue;
            }
            if target.state == TargetState::Unused {
                target.state = TargetState::Initial;
                target.reason = Some(TargetReason::InitialHealthChecking);
                target.description = Some("Initial health checks in progress".to_owned());
                target.next_check_at = now;
            }
            if target.reason == Some(TargetReason::RegistrationInProgress)
                && target.registered_at < now
            {
                target.reason = Some(TargetReason::InitialHealthChecking);
                target.description = Some("Initial health checks in progress".to_owned());
            }
            let Some(task) = service.task(&target.task) else {
                continue;
            };
            if target.next_check_at <= now {
                let result = self.check(group, target, task);
                if matches!(&result, Err((_, words)) if words.ends_with("[400]")) {
                    self.complain_of_plain_text(task);
                }
                record(target, group, result);
                let interval = TimeDelta::seconds(i64::from(group.health_check.interval_seconds));
                // What is healthy stays so until something changes, and then `Region::wake` has it
                // checked again: checks in between would find nothing.
                let proven = target.state == TargetState::Healthy && target.failures == 0;
                target.next_check_at = now
                    + if proven {
                        super::LONGEST_SLEEP
                    } else {
                        interval
                    };
            }
        }
        group.targets = targets;
    }

    /// Why a target gets no traffic and no checks.
    fn unused(&self, group: &TargetGroup, target: &Target) -> Option<&'static str> {
        if group.load_balancers.is_empty() {
            return Some(
                "Target group is not configured to receive traffic from the load balancer",
            );
        }
        let enabled = group
            .load_balancers
            .iter()
            .filter_map(|arn| self.region.load_balancers.get(arn))
            .flat_map(|balancer| &balancer.subnets)
            .filter_map(|id| self.region.subnets.get(id))
            .any(|subnet| subnet.availability_zone == target.availability_zone);
        (!enabled).then_some(
            "Target is in an Availability Zone that is not enabled for the load balancer",
        )
    }

    /// A program that speaks TLS logs what it thinks of plain HTTP.
    fn complain_of_plain_text(&mut self, task: &Task) {
        let Some(definition) = self.region.task_definition(&task.task_definition) else {
            return;
        };
        let spec = Arc::clone(&definition.spec);
        let speaker = spec
            .container_definitions
            .iter()
            .zip(&task.containers)
            .find(|(_, container)| container.app.as_deref().is_some_and(|app| app.tls));
        if let Some((definition, _)) = speaker {
            let line = "http: TLS handshake error from 10.0.0.23:38114: client sent an HTTP request to an HTTPS server";
            write_log(self.region, definition, &task.id, self.now, line);
        }
    }

    /// One health check; `Err` with AWS's reason and words.
    fn check(
        &self,
        group: &TargetGroup,
        target: &Target,
        task: &Task,
    ) -> Result<(), (TargetReason, String)> {
        let refused = || {
            (
                TargetReason::FailedHealthChecks,
                "Health checks failed".to_owned(),
            )
        };
        let timed_out = || (TargetReason::Timeout, "Request timed out".to_owned());
        let check = &group.health_check;
        let host_port = match check.port {
            HealthCheckPort::Traffic => target.port,
            HealthCheckPort::Fixed(port) => port,
        };
        let place = self.place_of(task).ok_or_else(refused)?;
        let let_in = group
            .load_balancers
            .iter()
            .filter_map(|arn| self.region.load_balancers.get(arn))
            .any(|lb| self.lets_in(&lb.security_groups, &lb.subnets, place, host_port));
        if !let_in {
            return Err(timed_out());
        }
        let definition = self
            .region
            .task_definition(&task.task_definition)
            .ok_or_else(refused)?;
        let spec = Arc::clone(&definition.spec);
        let started = task
            .started_at
            .filter(|_| task.is_running())
            .ok_or_else(refused)?;
        let mut answers = spec
            .container_definitions
            .iter()
            .zip(&task.containers)
            .filter_map(|(definition, container)| {
                let port = match group.target_type {
                    TargetType::Ip => host_port,
                    TargetType::Instance => {
                        container
                            .host_ports
                            .iter()
                            .find(|(_, host)| *host == host_port)?
                            .0
                    }
                };
                match ask(
                    definition,
                    container,
                    started,
                    self.now,
                    port,
                    &check.path,
                    false,
                ) {
                    Answer::Refused => None,
                    // Go's net/http answers plain text on a TLS port like this.
                    Answer::Status { .. } if speaks_tls(container) && check.protocol == "HTTP" => {
                        Some(Answer::Status {
                            status: 400,
                            milliseconds: 1,
                        })
                    }
                    answered @ Answer::Status { .. } => Some(answered),
                }
            });
        match answers.next() {
            None | Some(Answer::Refused) => Err(refused()),
            Some(Answer::Status { milliseconds, .. })
                if milliseconds >= check.timeout_seconds.saturating_mul(1_000) =>
            {
                Err(timed_out())
            }
            Some(Answer::Status { status, .. }) if check.accepts(status) => Ok(()),
            Some(Answer::Status { status, .. }) => Err((
                TargetReason::ResponseCodeMismatch,
                format!("Health checks failed with these codes: [{status}]"),
            )),
        }
    }

    fn replace_unhealthy(&self, service: &mut Service, group: &TargetGroup) {
        let now = self.now;
        let grace = TimeDelta::seconds(i64::from(
            service.health_check_grace_period_seconds.unwrap_or(0),
        ));
        let mut tasks = std::mem::take(&mut service.tasks);
        for target in group
            .targets
            .iter()
            .filter(|t| t.state == TargetState::Unhealthy)
        {
            let due = tasks.iter_mut().find(|task| {
                task.id == target.task
                    && task.is_wanted()
                    && task
                        .started_at
                        .is_some_and(|started| started + grace <= now)
            });
            let Some(task) = due else { continue };
            let who = match group.target_type {
                TargetType::Ip => format!("(task {})", task.id),
                TargetType::Instance => format!("(instance {})", target.id),
            };
            let why = target
                .description
                .as_deref()
                .unwrap_or("Health checks failed");
            service.say(
                now,
                &format!(
                    "{who} (port {}) is unhealthy in (target-group {}) due to (reason {why}).",
                    target.port, group.arn
                ),
            );
            let reason = format!(
                "Task failed ELB health checks in (target-group {})",
                group.arn
            );
            Self::stop(service, task, reason, now);
        }
        service.tasks = tasks;
    }

    /// When the service's targets change by themselves.
    pub(super) fn target_times(&self, service: &Service) -> Vec<DateTime<Utc>> {
        target_groups_of(service)
            .iter()
            .filter_map(|arn| self.region.target_groups.get(arn))
            .flat_map(|group| &group.targets)
            .map(|target| target.drained_at.unwrap_or(target.next_check_at))
            .collect()
    }
}

/// The target groups of the service, of every deployment it still has, and where tasks still drain.
pub(super) fn target_groups_of(service: &Service) -> Vec<String> {
    let mut arns: Vec<String> = service
        .load_balancers
        .iter()
        .chain(
            service
                .deployments
                .iter()
                .flat_map(|deployment| &deployment.load_balancers),
        )
        .map(|binding| &binding.target_group_arn)
        .chain(&service.draining)
        .cloned()
        .collect();
    arns.sort();
    arns.dedup();
    arns
}

fn speaks_tls(container: &Container) -> bool {
    container.app.as_deref().is_some_and(|app| app.tls)
}

fn record(target: &mut Target, group: &TargetGroup, result: Result<(), (TargetReason, String)>) {
    match result {
        Ok(()) => {
            target.failures = 0;
            target.successes += 1;
            // A new target is let in after its first success, one that failed has to prove itself.
            let proven = target.state == TargetState::Initial
                || target.successes >= group.health_check.healthy_threshold;
            if proven {
                target.state = TargetState::Healthy;
                target.reason = None;
                target.description = None;
            }
        }
        Err((reason, description)) => {
            target.successes = 0;
            target.failures += 1;
            let failed = target.state == TargetState::Unhealthy
                || target.failures >= group.health_check.unhealthy_threshold;
            if failed {
                target.state = TargetState::Unhealthy;
                target.reason = Some(reason);
                target.description = Some(description);
            }
        }
    }
}

/// Whether a container health check command would exit with 0.
///
/// Understood are commands whose program is in the image, and which either ask a
/// `http://localhost:<port>/<path>` or ask nothing; anything else of that shape passes.
pub(super) fn container_check_passes(
    check: &ContainerHealthCheck,
    definition: &ContainerDefinition,
    container: &Container,
    started: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    let Some(app) = container.app.as_deref() else {
        return false;
    };
    let words: Vec<&str> = match check.command.split_first() {
        Some((kind, rest)) if kind == "CMD-SHELL" || kind == "CMD" => rest
            .iter()
            .flat_map(|part| part.split_whitespace())
            .collect(),
        Some(_) | None => check
            .command
            .iter()
            .flat_map(|part| part.split_whitespace())
            .collect(),
    };
    let Some(program) = words.first() else {
        return false;
    };
    let name = program.rsplit_once('/').map_or(*program, |(_, name)| name);
    if *program == "exit" {
        return words.get(1) == Some(&"0");
    }
    let builtin = ["true", "test", "["].contains(&name);
    if !builtin && !app.commands.iter().any(|command| command == name) {
        return false;
    }
    let url = words
        .iter()
        .find_map(|word| word.trim_matches(['"', '\'']).strip_prefix("http://"));
    let Some(url) = url else { return true };
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, "80"));
    let local = host == "localhost" || host == "127.0.0.1";
    let Ok(port) = port.parse() else { return false };
    match ask(
        definition,
        container,
        started,
        now,
        port,
        &format!("/{path}"),
        local,
    ) {
        Answer::Refused => false,
        Answer::Status {
            status,
            milliseconds,
        } => status < 400 && milliseconds < check.timeout.saturating_mul(1_000),
    }
}
