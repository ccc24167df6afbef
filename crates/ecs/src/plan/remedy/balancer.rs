//! Load balancer health checks.

use super::{ROLL_BACK, ROLL_BACK_COST, Remedy, back, back_if, differs, generous, update};
use crate::analyse::{Finding, registered_port};
use crate::observation::Observation;
use crate::plan::{ModifyTargetGroupHealthCheck, Operation};

pub(super) fn path(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(group) = observation
        .target_groups
        .iter()
        .find(|g| finding.affected.contains(&g.arn))
    else {
        return Remedy::default();
    };
    let present = group.health_check.path.as_deref().unwrap_or("/");
    let answered = answered_path(observation, present);
    let from_log = answered.is_some();
    // Undone by itself if the convention does not hold here: the plan says that it is unproven.
    let by_convention = ["/health", "/healthz", "/"]
        .into_iter()
        .find(|path| *path != present);
    let Some(path) = answered.or_else(|| by_convention.map(str::to_owned)) else {
        return Remedy::default();
    };
    let change = ModifyTargetGroupHealthCheck {
        target_group: group.arn.clone(),
        path: Some(path),
        ..ModifyTargetGroupHealthCheck::default()
    };
    let mut remedy = Remedy::of(vec![Operation::ModifyTargetGroupHealthCheck(change)]).or(
        ROLL_BACK,
        ROLL_BACK_COST,
        back(observation, differs),
    );
    remedy.warnings.push(
        if from_log {
            "The path is taken from a log line of the program."
        } else {
            "No log line shows a path that the program answers: this one is a convention. Name the right one if you know it."
        }
        .to_owned(),
    );
    remedy
}

/// A path that the program's own log shows to be answered with 200 and that looks like a check.
pub(super) fn answered_path(observation: &Observation, except: &str) -> Option<String> {
    let pattern =
        regex::Regex::new(r#"(?:GET|HEAD) (?<path>/[A-Za-z0-9/_.-]{0,100})[ "].{0,60}?\b200\b"#)
            .ok()?;
    let paths: Vec<&str> = observation
        .log_groups
        .iter()
        .flat_map(|group| &group.lines)
        .filter_map(|line| Some(pattern.captures(&line.text)?.name("path")?.as_str()))
        .filter(|path| *path != except)
        .collect();
    let checks = |path: &&&str| {
        ["health", "ready", "live", "ping", "status"]
            .iter()
            .any(|word| path.contains(word))
    };
    paths
        .iter()
        .find(checks)
        .or_else(|| paths.first())
        .map(|path| (*path).to_owned())
}

pub(super) fn port(observation: &Observation, finding: &Finding) -> Remedy {
    let fixed = observation.target_groups.iter().find(|group| {
        finding.affected.contains(&group.arn)
            && group.health_check.port.as_deref().is_some_and(|port| {
                port != "traffic-port"
                    && registered_port(observation, group)
                        .is_some_and(|own| own.to_string() != port)
            })
    });
    if let Some(group) = fixed {
        let change = ModifyTargetGroupHealthCheck {
            target_group: group.arn.clone(),
            port: Some("traffic-port".to_owned()),
            ..ModifyTargetGroupHealthCheck::default()
        };
        return Remedy::of(vec![Operation::ModifyTargetGroupHealthCheck(change)]);
    }
    back_if(observation, differs)
}

pub(super) fn grace(observation: &Observation) -> Remedy {
    let before = observation
        .service
        .health_check_grace_period_seconds
        .unwrap_or(0);
    let lived = observation
        .tasks
        .iter()
        .filter_map(|task| Some((task.stopped_at? - task.started_at?).num_seconds()))
        .max()
        .unwrap_or(0);
    let mut update = update(observation);
    let wanted = generous(observation, i64::from(before).max(lived))
        .saturating_mul(2)
        .clamp(180, 7200);
    update.health_check_grace_period_seconds = Some(wanted);
    Remedy::of(vec![Operation::UpdateService(update)]).or(
        ROLL_BACK,
        ROLL_BACK_COST,
        back(observation, differs),
    )
}

pub(super) fn slow_app(observation: &Observation, finding: &Finding) -> Remedy {
    let change = observation
        .target_groups
        .iter()
        .find(|g| finding.affected.contains(&g.arn))
        .map(|group| {
            let timeout = group
                .health_check
                .timeout_seconds
                .unwrap_or(5)
                .saturating_mul(2)
                .min(60);
            let interval = group.health_check.interval_seconds.unwrap_or(30);
            Operation::ModifyTargetGroupHealthCheck(ModifyTargetGroupHealthCheck {
                target_group: group.arn.clone(),
                timeout_seconds: Some(timeout),
                interval_seconds: (interval <= timeout).then_some((timeout + 5).min(300)),
                ..ModifyTargetGroupHealthCheck::default()
            })
        });
    let patience: Vec<Operation> = change.into_iter().collect();
    let rollback = back(observation, differs);
    if rollback.is_empty() {
        return Remedy::of(patience);
    }
    // A program that was quick enough until this release is repaired, not waited for.
    Remedy::of(rollback).or(
        "Give the health check more time",
        "users wait as long as the check does",
        patience,
    )
}
