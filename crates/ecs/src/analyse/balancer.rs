//! Load balancer health checks: path, port, reachability, patience.

use regex::Regex;

use super::health::{ready, slowest_start, slowest_start_of};
use super::view::{Draft, View, has_any, plain, reasons, short};
use super::{Confidence, Finding};
use crate::observation::{
    Cited, EvidenceId, LogLine, Observation, SecurityGroupSnapshot, ServiceEvent,
    TargetGroupSnapshot, TargetSnapshot, TaskSnapshot,
};

/// Defaults of an ELB health check.
///
/// Source: `CreateTargetGroup` in the Elastic Load Balancing API reference.
const DEFAULT_INTERVAL: i32 = 30;
const DEFAULT_UNHEALTHY_THRESHOLD: i32 = 2;

/// A line in which the program names the port that it listens on.
const LISTENING_LINE: &str = r"(?i)\blisten(?:s|ing)?\b[^0-9]*?(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?[^0-9]{0,12}(?<port>[0-9]{2,5})\b";

/// HTTP codes in a health check's words, such as `[404]`.
const CODES: &str = r"with these codes: \[(?<codes>[0-9, ]+)\]";

/// What the load balancer saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// An HTTP answer with a code that does not count.
    Code,
    /// Connection refused or reset.
    Refused,
    /// Nothing within the timeout.
    Nothing,
}

/// One target group in which the service's tasks fail.
struct Failing<'a> {
    group: &'a Cited<TargetGroupSnapshot>,
    answer: Answer,
    words: String,
    target: Option<&'a TargetSnapshot>,
    event: Option<&'a ServiceEvent>,
    task: Option<&'a Cited<TaskSnapshot>>,
}

/// `elb-hc-path-mismatch`, `elb-hc-port-mismatch`, `elb-hc-timeout-sg-ingress`,
/// `elb-hc-timeout-slow-app`, `elb-hc-grace-period-short`.
pub(crate) fn checks(view: &View<'_>) -> Vec<Finding> {
    let groups = &view.observation.target_groups;
    groups
        .iter()
        .filter_map(|group| failing(view, group))
        .filter_map(|failing| match failing.answer {
            Answer::Code => wrong_path(view, &failing),
            Answer::Refused => fixed_port(view, &failing)
                .or_else(|| bound_to_localhost(view, &failing))
                .or_else(|| too_slow_start(view, &failing))
                .or_else(|| wrong_port(view, &failing)),
            Answer::Nothing => closed_group(view, &failing)
                .or_else(|| too_slow_start(view, &failing))
                .or_else(|| slow_app(view, &failing)),
        })
        .collect()
}

fn failing<'a>(view: &View<'a>, group: &'a Cited<TargetGroupSnapshot>) -> Option<Failing<'a>> {
    let target = group
        .targets
        .iter()
        .find(|target| target.state == "unhealthy");
    let event = view.events().find(|event| {
        event.message.contains("is unhealthy in")
            && (event.message.contains(&group.arn)
                || event.message.contains(&group.name)
                || view.observation.target_groups.len() == 1)
    });
    let task = view.failures().find(|task| {
        let text = reasons(task);
        text.contains("ELB health checks")
            && (text.contains(&group.arn) || view.observation.target_groups.len() == 1)
    });
    let words = target
        .map(|target| {
            format!(
                "{} {}",
                target.reason.as_deref().unwrap_or_default(),
                target.description.as_deref().unwrap_or_default()
            )
        })
        .or_else(|| event.map(|event| event.message.clone()))
        .or_else(|| task.map(|task| reasons(task)))?;
    let words = plain(&words);
    let answer = if has_any(&words, &["ResponseCodeMismatch", "with these codes"]) {
        Answer::Code
    } else if has_any(
        &words,
        &["Target.Timeout", "Request timed out", "timed out"],
    ) {
        Answer::Nothing
    } else {
        Answer::Refused
    };
    Some(Failing {
        group,
        answer,
        words,
        target,
        event,
        task,
    })
}

fn draft<'a>(
    view: &View<'a>,
    failing: &Failing<'_>,
    mode: &str,
    sentence: String,
) -> Option<Draft<'a>> {
    let mut draft = view
        .draft(mode)?
        .because(sentence)
        .affects(&failing.group.arn);
    if let Some(target) = failing.target {
        draft = draft.cite(
            failing.group.evidence,
            &[
                target.description.as_deref().unwrap_or_default(),
                target.reason.as_deref().unwrap_or_default(),
                "unhealthy",
            ],
        );
    }
    if let Some(event) = failing.event {
        draft = draft.cite_event(event);
    }
    if let Some(task) = failing.task {
        draft = draft.cite_task(task);
    }
    Some(draft)
}

fn wrong_path(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let codes = Regex::new(CODES)
        .ok()?
        .captures(&failing.words)
        .and_then(|captures| {
            captures
                .name("codes")
                .map(|codes| codes.as_str().to_owned())
        });
    // 3xx, 401 and 403 are redirects and authentication, 5xx a program that is up and unwell.
    let wrong = codes.as_deref().is_none_or(|codes| {
        codes
            .split(',')
            .any(|code| matches!(code.trim(), "400" | "404" | "405"))
    });
    // A TLS port answers plain HTTP with 400 whatever the path.
    let other_protocol =
        codes.as_deref() == Some("400") && super::answers::protocol_complaint(view).is_some();
    if !wrong || other_protocol {
        return None;
    }
    let path = failing.group.health_check.path.as_deref().unwrap_or("/");
    let code = codes.as_deref().unwrap_or("another code");
    draft(
        view,
        failing,
        "elb-hc-path-mismatch",
        format!(
            "Target group `{}` checks the path `{path}`, which the program answers with {code}.",
            failing.group.name
        ),
    )?
    .cite(failing.group.evidence, &[path])
    .decided(
        codes.is_some(),
        "elasticloadbalancing:DescribeTargetHealth while a target is registered",
    )
    .finish()
}

/// The check asks a fixed port that no container has.
fn fixed_port(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let port = failing
        .group
        .health_check
        .port
        .as_deref()
        .filter(|port| *port != "traffic-port")?;
    let number: i32 = port.parse().ok()?;
    let definition = view.observation.task_definition.as_ref()?;
    let mapped = definition
        .containers
        .iter()
        .flat_map(|container| &container.port_mappings)
        .any(|mapping| mapping.container_port == number);
    if mapped {
        return None;
    }
    draft(
        view,
        failing,
        "elb-hc-port-mismatch",
        format!(
            "Target group `{}` checks port {port}, which no container of {} has.",
            failing.group.name,
            short(&definition.arn)
        ),
    )?
    .cite(failing.group.evidence, &[port])
    .decided(true, "")
    .finish()
}

fn bound_to_localhost(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let (port, evidence, line) = listening_port(view)?;
    if !has_any(&line.text, &["127.0.0.1", "localhost"]) {
        return None;
    }
    draft(
        view,
        failing,
        "elb-hc-app-bound-to-localhost",
        format!("The program listens on port {port} of its own host only, so nobody outside the task reaches it."),
    )?
    .cite(evidence, &[&line.text])
    .decided(true, "")
    .finish()
}

fn wrong_port(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let registered = registered_port(view.observation, failing.group)?;
    let listening = listening_port(view);
    if listening
        .as_ref()
        .is_some_and(|(port, ..)| *port == registered)
    {
        return None;
    }
    let instead = listening.as_ref().map_or_else(String::new, |(port, ..)| {
        format!("; the program listens on {port}")
    });
    let draft = draft(
        view,
        failing,
        "elb-hc-port-mismatch",
        format!(
            "Target group `{}` sends to port {registered}, where nothing answers{instead}.",
            failing.group.name
        ),
    )?
    .cite(
        view.observation.service.evidence,
        &[
            &format!("containerPort: {registered}"),
            &format!("container_port: {registered}"),
            &registered.to_string(),
        ],
    )
    .decided(
        listening.is_some(),
        "a log line that names the port the program listens on",
    );
    match listening {
        Some((_, evidence, line)) => draft.cite(evidence, &[&line.text]),
        None => draft.at_most(Confidence::Medium),
    }
    .finish()
}

fn closed_group(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let observation = view.observation;
    let port = registered_port(observation, failing.group)?;
    let balancers = balancer_groups(observation, failing.group);
    let tasks = super::network::service_groups(observation);
    if balancers.is_empty() || tasks.is_empty() {
        return None;
    }
    if tasks
        .iter()
        .any(|group| admits(observation, group, port, &balancers))
    {
        return None;
    }
    let mut draft = draft(
        view,
        failing,
        "elb-hc-timeout-sg-ingress",
        format!(
            "Security group {} of the tasks does not let the load balancer's {} in on port {port}.",
            super::network::list(
                &tasks
                    .iter()
                    .map(|group| group.id.as_str())
                    .collect::<Vec<_>>()
            ),
            super::network::list(&balancers.iter().map(String::as_str).collect::<Vec<_>>()),
        ),
    )?
    .decided(true, "");
    for group in tasks {
        draft = draft.cite(group.evidence, &[&group.id]).affects(&group.id);
    }
    for group in &balancers {
        draft = draft.affects(group);
    }
    draft.finish()
}

/// Tasks are stopped by the load balancer's check before they serve.
fn too_slow_start(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let task = failing.task?;
    let check = &failing.group.health_check;
    let grace = view
        .observation
        .service
        .health_check_grace_period_seconds
        .unwrap_or(0);
    let checks = check.interval_seconds.unwrap_or(DEFAULT_INTERVAL)
        * check
            .unhealthy_threshold
            .unwrap_or(DEFAULT_UNHEALTHY_THRESHOLD);
    let patience = i64::from(grace + checks);
    let lived = (task.stopped_at? - task.started_at?).num_seconds();
    // How fast another revision starts says something only if that is too slow as well.
    let slowest = ready(view, task)
        .or_else(|| slowest_start_of(view, &task.task_definition))
        .or_else(|| slowest_start(view).filter(|ready| ready.seconds >= patience.min(lived)));
    let registered = registered_port(view.observation, failing.group);
    let other_port = listening_port(view).is_some_and(|(port, ..)| Some(port) != registered);
    let stopped_soon = lived <= patience + 120;
    let too_slow = match slowest {
        Some(ready) => ready.seconds >= patience.min(lived),
        // It wrote lines all its life and never said that it serves; or it said nothing at all,
        // where a revision before it served.
        None => {
            let talked = view.lines_of(task, None).count() > 1;
            stopped_soon && (talked || served_before(view, failing, task, registered))
        }
    };
    if !too_slow || other_port {
        return None;
    }
    let took = match slowest {
        Some(ready) => format!("takes {} s", ready.seconds),
        None => format!("takes longer than {lived} s"),
    };
    let draft = draft(
        view,
        failing,
        "elb-hc-grace-period-short",
        format!(
            "A task {took} to start, and ECS acts on the load balancer's checks after {grace} s of grace."
        ),
    )?
    .cite(
        view.observation.service.evidence,
        &[
            &format!("healthCheckGracePeriodSeconds: {grace}"),
            &format!("health_check_grace_period_seconds: {grace}"),
            &view.observation.service.name,
        ],
    )
    .affects(&view.observation.service.arn)
    .decided(slowest.is_some(), "a log line that says when the program serves");
    match slowest {
        Some(ready) => draft.cite(ready.evidence, &[&ready.line.text]),
        None => draft,
    }
    .finish()
}

/// Whether another revision serves, or served, at the port that the load balancer checks.
fn served_before(
    view: &View<'_>,
    failing: &Failing<'_>,
    task: &TaskSnapshot,
    registered: Option<i32>,
) -> bool {
    let fixed = failing.group.health_check.port.as_deref();
    if registered.is_none() || fixed.is_some_and(|port| port != "traffic-port") {
        return false;
    }
    let serves = |other: &TaskSnapshot| {
        failing.group.targets.iter().any(|target| {
            target.state == "healthy"
                && target.port == registered
                && other.private_ip.as_ref() == Some(&target.id)
        })
    };
    let observation = view.observation;
    let served = crate::plan::good_revision(observation).is_some_and(|(good, ..)| {
        good.arn != task.task_definition
            && good
                .containers
                .iter()
                .flat_map(|container| &container.port_mappings)
                .any(|mapping| Some(mapping.container_port) == registered)
    });
    served
        || observation
            .tasks
            .iter()
            .any(|other| other.task_definition != task.task_definition && serves(other))
}

fn slow_app(view: &View<'_>, failing: &Failing<'_>) -> Option<Finding> {
    let timeout = failing.group.health_check.timeout_seconds.unwrap_or(5);
    let open = !view.missing("ec2:DescribeSecurityGroups")
        && !view.observation.network.security_groups.is_empty();
    draft(
        view,
        failing,
        "elb-hc-timeout-slow-app",
        format!(
            "The program does not answer the check of target group `{}` within {timeout} s.",
            failing.group.name
        ),
    )?
    .decided(false, "response times of the health check path")
    .at_most(if open {
        Confidence::Medium
    } else {
        Confidence::Low
    })
    .finish()
}

/// The container port that the service registers in this target group.
pub(crate) fn registered_port(
    observation: &Observation,
    group: &TargetGroupSnapshot,
) -> Option<i32> {
    observation
        .service
        .load_balancers
        .iter()
        .find(|(arn, ..)| arn == &group.arn)
        .map(|(_, _, port)| *port)
        .or_else(|| group.targets.first().and_then(|target| target.port))
}

/// Security groups of the load balancers in front of a target group.
pub(crate) fn balancer_groups(
    observation: &Observation,
    group: &TargetGroupSnapshot,
) -> Vec<String> {
    observation
        .load_balancers
        .iter()
        .filter(|balancer| group.load_balancer_arns.contains(&balancer.arn))
        .flat_map(|balancer| balancer.security_groups.iter().cloned())
        .collect()
}

/// Whether a group lets any of the load balancer's groups in on a port.
pub(crate) fn admits(
    observation: &Observation,
    group: &SecurityGroupSnapshot,
    port: i32,
    balancers: &[String],
) -> bool {
    group.ingress.iter().any(|rule| {
        let peer = rule.groups.iter().any(|peer| balancers.contains(peer))
            || rule
                .cidrs
                .iter()
                .any(|cidr| cidr == "0.0.0.0/0" || is_private_block(observation, cidr));
        rule.covers_tcp(port) && peer
    })
}

/// Whether a block holds the subnets that are known; a load balancer's nodes live beside them.
fn is_private_block(observation: &Observation, cidr: &str) -> bool {
    let Some((base, bits)) = parse_block(cidr) else {
        return false;
    };
    bits < 32
        && observation.network.subnets.iter().any(|subnet| {
            parse_block(&subnet.cidr).is_some_and(|(address, size)| {
                let mask = if bits == 0 {
                    0
                } else {
                    u32::MAX << (32 - bits)
                };
                size >= bits && (address & mask) == (base & mask)
            })
        })
}

fn parse_block(cidr: &str) -> Option<(u32, u32)> {
    let (address, bits) = cidr.split_once('/')?;
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    Some((u32::from(address), bits))
}

/// The port that the program says it listens on, with the newest line that says so.
pub(crate) fn listening_port<'a>(view: &View<'a>) -> Option<(i32, EvidenceId, &'a LogLine)> {
    let pattern = Regex::new(LISTENING_LINE).ok()?;
    let main = view
        .observation
        .task_definition
        .as_ref()
        .and_then(|definition| view.main_container(definition))
        .map(|container| container.name.as_str());
    let current = &view.observation.service.task_definition;
    let tasks = || view.observation.tasks.iter();
    tasks()
        .filter(|task| &task.task_definition == current)
        .chain(tasks())
        .flat_map(|task| {
            let of_main = view.lines_of(task, main);
            of_main.chain(view.lines_of(task, None))
        })
        .find_map(|(evidence, line)| {
            let port = pattern
                .captures(&line.text)?
                .name("port")?
                .as_str()
                .parse()
                .ok()?;
            Some((port, evidence, line))
        })
}
