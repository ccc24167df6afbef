//! Targets that answer, but not as the health check wants; and targets that nobody asks.

use regex::Regex;

use super::Finding;
use super::view::{Draft, View, plain, short};
use crate::observation::{Cited, EvidenceId, LogLine, TargetGroupSnapshot, TargetSnapshot};

/// HTTP codes in the words about a target.
const CODES: &str = r"with these codes: \[(?<codes>[0-9, ]+)\]";

/// A program that speaks the other of TLS and plain text.
const WRONG_PROTOCOL: &str = r"(?:http: TLS handshake error|SSL_do_handshake|client sent an HTTP request to an HTTPS server|[Cc]lient sent an HTTP request to an HTTPS|wrong version number)";

/// `elb-hc-auth-or-redirect`, `elb-hc-dependency-503`, `elb-hc-protocol-mismatch`, `target-az-not-enabled`,
/// `target-group-not-attached`.
pub(crate) fn answers(view: &View<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = view
        .observation
        .target_groups
        .iter()
        .filter_map(|group| {
            detached(view, group)
                .or_else(|| zone_not_enabled(view, group))
                .or_else(|| wrong_protocol(view, group))
                .or_else(|| wrong_code(view, group))
        })
        .collect();
    findings.dedup_by(|later, first| later.mode == first.mode);
    findings
}

/// The words about a group's failing targets: those of a target, else of the events about them.
fn words<'a>(
    view: &View<'a>,
    group: &'a TargetGroupSnapshot,
) -> Option<(String, Option<&'a TargetSnapshot>)> {
    let target = group
        .targets
        .iter()
        .find(|target| target.state == "unhealthy");
    if let Some(target) = target {
        let text = target.description.as_deref().unwrap_or_default();
        return Some((plain(text), Some(target)));
    }
    let event = view.events().find(|event| {
        event.message.contains("is unhealthy in")
            && (event.message.contains(&group.arn) || view.observation.target_groups.len() == 1)
    })?;
    Some((plain(&event.message), None))
}

fn draft<'a>(
    view: &View<'a>,
    group: &Cited<TargetGroupSnapshot>,
    mode: &str,
    sentence: String,
) -> Option<Draft<'a>> {
    Some(
        view.draft(mode)?
            .because(sentence)
            .affects(&group.arn)
            .cite(group.evidence, &[&group.arn]),
    )
}

fn wrong_code(view: &View<'_>, group: &Cited<TargetGroupSnapshot>) -> Option<Finding> {
    let (text, target) = words(view, group)?;
    let captures = Regex::new(CODES).ok()?.captures(&text)?;
    let list = captures.name("codes")?.as_str();
    let codes: Vec<&str> = list.split(',').map(str::trim).collect();
    let all = |wanted: &[&str]| codes.iter().all(|code| wanted.contains(code));
    let path = group.health_check.path.as_deref().unwrap_or("/");
    let name = &group.name;
    let (mode, sentence) = if all(&["301", "302", "307", "308"]) {
        (
            "elb-hc-auth-or-redirect",
            format!(
                "Target group `{name}` checks `{path}`, which the program redirects with {list}."
            ),
        )
    } else if all(&["401", "403"]) {
        (
            "elb-hc-auth-or-redirect",
            format!(
                "Target group `{name}` checks `{path}`, for which the program wants a login ({list})."
            ),
        )
    } else if all(&["500", "502", "503"]) {
        (
            "elb-hc-dependency-503",
            format!(
                "The program answers the check of `{path}` by target group `{name}` with {list}: it runs, and \
                 says that it cannot serve."
            ),
        )
    } else {
        return None;
    };
    let draft = draft(view, group, mode, sentence)?
        .cite(group.evidence, &[path])
        .decided(
            mode == "elb-hc-auth-or-redirect",
            "a log line of the health check's handler that names what it waits for",
        );
    let draft = match (target, view.event_saying("with these codes")) {
        (Some(target), _) => draft.cite(
            group.evidence,
            &[target.description.as_deref().unwrap_or_default()],
        ),
        (None, Some(event)) => draft.cite_event(event),
        (None, None) => draft,
    };
    draft.finish()
}

/// A line in which the program complains of the other side's protocol.
pub(super) fn protocol_complaint<'a>(view: &View<'a>) -> Option<(EvidenceId, &'a LogLine)> {
    let pattern = Regex::new(WRONG_PROTOCOL).ok()?;
    view.observation
        .log_groups
        .iter()
        .flat_map(|logs| logs.lines.iter().map(|line| (logs.evidence, line)))
        .filter(|(_, line)| view.is_recent(line.at))
        .find(|(_, line)| pattern.is_match(&line.text))
}

/// The program logs that the other side speaks another protocol, and its targets fail.
fn wrong_protocol(view: &View<'_>, group: &Cited<TargetGroupSnapshot>) -> Option<Finding> {
    words(view, group)?;
    let (evidence, line) = protocol_complaint(view)?;
    let spoken = group.health_check.protocol.as_deref().unwrap_or("HTTP");
    draft(
        view,
        group,
        "elb-hc-protocol-mismatch",
        format!(
            "Target group `{}` checks with {spoken}, and the program speaks another protocol on that port.",
            group.name
        ),
    )?
    .cite(group.evidence, &[spoken])
    .cite(evidence, &[&line.text])
    .decided(true, "")
    .finish()
}

/// `target-az-not-enabled`: a healthy task in a zone that the load balancer does not serve.
fn zone_not_enabled(view: &View<'_>, group: &Cited<TargetGroupSnapshot>) -> Option<Finding> {
    let target = group.targets.iter().find(|target| {
        target.state == "unused"
            && target
                .description
                .as_deref()
                .is_some_and(|text| text.contains("Availability Zone that is not enabled"))
    })?;
    let description = target.description.as_deref().unwrap_or_default();
    draft(
        view,
        group,
        "target-az-not-enabled",
        format!(
            "Target `{}` of `{}` is in an Availability Zone that the load balancer does not serve.",
            target.id, group.name
        ),
    )?
    .affects(&target.id)
    .cite(group.evidence, &[description])
    .decided(true, "")
    .finish()
}

/// `lb-sg-ingress-missing`: a load balancer whose security groups let nobody at all in on the port of a
/// listener. Who should be let in is not known; that nobody is, needs no traffic to be seen.
pub(crate) fn closed_balancers(view: &View<'_>) -> Vec<Finding> {
    let finding = view.observation.load_balancers.iter().find_map(|balancer| {
        let groups: Vec<_> = view
            .observation
            .network
            .security_groups
            .iter()
            .filter(|group| balancer.security_groups.contains(&group.id))
            .collect();
        let read = !groups.is_empty() && groups.len() == balancer.security_groups.len();
        let port = balancer
            .listeners
            .iter()
            .filter_map(|listener| listener.port)
            .find(|port| {
                groups
                    .iter()
                    .all(|group| group.ingress.iter().all(|rule| !rule.covers_tcp(*port)))
            })
            .filter(|_| read)?;
        let names: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        let mut draft = view
            .draft("lb-sg-ingress-missing")?
            .because(format!(
                "Security group {} of load balancer `{}` lets nobody in on port {port}.",
                super::network::list(&names),
                balancer.name
            ))
            .affects(&balancer.arn)
            .cite(balancer.evidence, &[&balancer.arn, &balancer.name])
            .decided(true, "");
        for group in groups {
            draft = draft.affects(&group.id).cite(group.evidence, &[&group.id]);
        }
        draft.finish()
    });
    finding.into_iter().collect()
}

/// `target-group-not-attached`: tasks register, and nothing forwards to them.
fn detached(view: &View<'_>, group: &Cited<TargetGroupSnapshot>) -> Option<Finding> {
    let used = view
        .observation
        .service
        .load_balancers
        .iter()
        .any(|(arn, ..)| *arn == group.arn);
    let unused = !group.targets.is_empty()
        && group.targets.iter().all(|target| {
            target.state == "unused" && target.reason.as_deref() == Some("Target.NotInUse")
        });
    if !used || !group.load_balancer_arns.is_empty() || !unused {
        return None;
    }
    draft(
        view,
        group,
        "target-group-not-attached",
        format!(
            "No load balancer forwards to target group `{}`, in which {} registers its tasks.",
            group.name,
            short(&view.observation.service.arn)
        ),
    )?
    .cite(group.evidence, &["Target.NotInUse"])
    .decided(true, "")
    .finish()
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
