//! Roles that cannot be assumed, and calls that they are refused.

use regex::Regex;

use super::view::{Draft, View, plain, reasons, short};
use super::{Confidence, Finding};
use crate::observation::{Cited, EvidenceId, LogLine, RoleSnapshot, ServiceEvent};

/// Who lets ECS tasks act as a role.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// A role in AWS's words about it.
const ROLE: &str = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+";

/// An explicit deny and where it stands.
const EXPLICIT_DENY: &str =
    r"with an explicit deny in (?:a|an) (?<policy>[a-z-]+(?: [a-z-]+){0,2} ?(?:policy|boundary))";

/// A refusal in a program's own log.
const REFUSED: &str = r"(?:assumed-role/(?<role>[\w+=,.@-]+)/\S+)? ?is not authorized to perform:? (?<action>[a-z0-9-]+:[A-Za-z*]+)";

/// `execution-role-cannot-be-assumed`, `task-role-cannot-be-assumed`, `scp-or-boundary-explicit-deny`,
/// `task-role-permission-missing-app`.
pub(crate) fn access(view: &View<'_>) -> Vec<Finding> {
    [
        cannot_assume(view),
        no_execution_credentials(view),
        explicit_deny(view),
        application_refused(view),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// ECS says which role it could not assume; the task definition says what the role is for.
fn cannot_assume(view: &View<'_>) -> Option<Finding> {
    let event: &ServiceEvent = view
        .event_saying("ECS was unable to assume the role")
        .or_else(|| {
            view.event_saying("IAM trust relationship has been misconfigured or changed")
        })?;
    let definition = view.observation.task_definition.as_ref()?;
    let message = plain(&event.message);
    let named = Regex::new(ROLE)
        .ok()?
        .find(&message)
        .map(|role| role.as_str().to_owned());
    let execution = definition.execution_role_arn.as_ref();
    let is_execution = match (&named, &definition.task_role_arn) {
        (Some(named), _) if Some(named) == execution => true,
        (Some(named), Some(task)) if named == task => false,
        (None, None) => true,
        _ => return None,
    };
    let (mode, purpose) = match is_execution {
        true => ("execution-role-cannot-be-assumed", "execution"),
        false => ("task-role-cannot-be-assumed", "task"),
    };
    let role = match is_execution {
        true => execution,
        false => definition.task_role_arn.as_ref(),
    }?;
    let known = view
        .observation
        .roles
        .iter()
        .find(|known| known.arn == *role);
    let why = known.map_or("", |known| flaw(known));
    let draft = view
        .draft(mode)?
        .because(format!(
            "ECS may not assume the {purpose} role `{role}` of {}{why}.",
            short(&definition.arn)
        ))
        .affects(role)
        .cite_event(event)
        .cite(definition.evidence, &[role])
        .decided(!why.is_empty(), "iam:GetRole of the role");
    match known {
        Some(known) => draft.cite(known.evidence, &["exists: false", "NoSuchEntity", role]),
        None => draft,
    }
    .finish()
}

fn flaw(role: &Cited<RoleSnapshot>) -> &'static str {
    if role.exists == Some(false) {
        return ", which does not exist";
    }
    if role.exists == Some(true) && !role.trusted_services.iter().any(|service| service == TASKS) {
        return ", whose trust policy does not name ecs-tasks.amazonaws.com";
    }
    ""
}

/// A task that needs an execution role and has none to use.
fn no_execution_credentials(view: &View<'_>) -> Option<Finding> {
    let task = view
        .failures()
        .find(|task| reasons(task).contains("unable to find execution role credentials"))?;
    let definition = view.revision_of(task)?;
    let role = definition.execution_role_arn.as_deref();
    let sentence = match role {
        Some(role) => format!(
            "ECS has no credentials of the execution role `{role}` that {} needs to start.",
            short(&definition.arn)
        ),
        None => format!(
            "{} has no execution role, and needs one to start.",
            short(&definition.arn)
        ),
    };
    view.draft("execution-role-cannot-be-assumed")?
        .because(sentence)
        .affects(role.unwrap_or(&definition.arn))
        .cite_task(task)
        .decided(role.is_none(), "iam:GetRole of the execution role")
        .finish()
}

/// Somebody above the account, or a boundary, forbids it: no policy of the role can allow it.
fn explicit_deny(view: &View<'_>) -> Option<Finding> {
    let pattern = Regex::new(EXPLICIT_DENY).ok()?;
    let (task, policy) = view.failures().find_map(|task| {
        let text = reasons(task);
        let policy = pattern.captures(&text)?.name("policy")?.as_str().to_owned();
        Some((task, policy))
    })?;
    view.draft("scp-or-boundary-explicit-deny")?
        .because(format!(
            "A {policy} denies what {} needs to start, whatever its roles allow.",
            short(&task.task_definition)
        ))
        .affects(&task.task_definition)
        .cite_task(task)
        .decided(true, "")
        .finish()
}

/// The program says that its own role was refused. Anybody may write log lines, so the role in the line
/// must be the task's.
fn application_refused(view: &View<'_>) -> Option<Finding> {
    let definition = view.observation.task_definition.as_ref()?;
    let role = definition.task_role_arn.as_deref()?;
    let pattern = Regex::new(REFUSED).ok()?;
    let (evidence, line, action): (EvidenceId, &LogLine, String) = view
        .observation
        .log_groups
        .iter()
        .flat_map(|group| group.lines.iter().map(|line| (group.evidence, line)))
        .filter(|(_, line)| view.is_recent(line.at))
        .find_map(|(evidence, line)| {
            let captures = pattern.captures(&line.text)?;
            let named = captures.name("role")?.as_str();
            let action = captures.name("action")?.as_str().to_owned();
            (named == short(role)).then_some((evidence, line, action))
        })?;
    let known = view
        .observation
        .roles
        .iter()
        .find(|known| known.arn == role);
    let simulated = known.and_then(|known| {
        let decision = known.simulated.iter().find(|one| one.action == action)?;
        Some((known.evidence, decision))
    });
    let denied = simulated.is_some_and(|(_, decision)| decision.decision != "allowed");
    // Programs log refusals that they can do without.
    if !is_felt(view) {
        return None;
    }
    let draft = view
        .draft("task-role-permission-missing-app")?
        .because(format!(
            "The program is refused `{action}` as task role `{}`.",
            short(role)
        ))
        .affects(role)
        .cite(evidence, &[&line.text])
        .cite(definition.evidence, &[role])
        .decided(
            denied,
            "iam:SimulatePrincipalPolicy on the task role for that action",
        );
    let draft = match simulated {
        Some((evidence, decision)) => draft.cite(evidence, &[&decision.decision]),
        None => draft.at_most(Confidence::Medium),
    };
    Draft::finish(draft)
}

/// Whether running the program goes wrong: tasks that started end, or do not answer.
fn is_felt(view: &View<'_>) -> bool {
    let ends = view.failures().any(|task| {
        task.started_at.is_some() && reasons(task).contains("Essential container in task exited")
    });
    let mut targets = view
        .observation
        .target_groups
        .iter()
        .flat_map(|group| &group.targets);
    ends || targets.any(|target| target.state == "unhealthy")
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
