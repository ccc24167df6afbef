//! Containers that end by themselves: memory, wrong binaries, missing variables, crashes.

use regex::Regex;

use super::Finding;
use super::network::{opens_egress, service_groups};
use super::view::{Draft, View, has_any, plain, reasons, short};
use super::{abrupt, entrypoint, growth, startup};
use crate::observation::{
    Cited, ContainerSnapshot, EvidenceId, LogLine, TaskDefinitionSnapshot, TaskSnapshot,
};

/// A line that names a missing variable.
const MISSING_VARIABLE: &str = r#"(?x)
    KeyError:\ '(?<a>[A-Z][A-Z0-9_]{2,})'
  | environment\ variable:?\ [`'"]?(?<b>[A-Z][A-Z0-9_]{2,})[`'"]?\ (?:is\ )?(?:not\ set|required|missing|undefined|unset)
  | [Mm]issing\ (?:required\ )?env(?:ironment)?(?:\ variables?)?:?\ [`'"]?(?<c>[A-Z][A-Z0-9_]{2,})
  | (?:required|undefined)\ (?:environment\ )?variable:?\ [`'"]?(?<d>[A-Z][A-Z0-9_]{2,})
  | [`'"]?(?<e>[A-Z][A-Z0-9]*_[A-Z0-9_]+)[`'"]?\ (?:is\ )?(?:not\ set|required|must\ be\ set|missing|undefined)
"#;

/// A line that says something outside did not answer.
const UNREACHED_DEPENDENCY: &str = r"(?xi)
    (?:connect|dial|connection|lookup|getaddrinfo|could\ not\ reach|cannot\ reach)
    .*(?:refused|timed?\ ?out|timeout|no\ such\ host|unreachable|ENOTFOUND)";

/// A host and port in such a line.
const HOST_PORT: &str = r"(?<host>[A-Za-z0-9][A-Za-z0-9.-]+):(?<port>[0-9]{2,5})\b";

/// A line that says why a program ended.
const FATAL_LINE: &str =
    r"(?i)\b(panic|fatal|traceback|exception|error|unhandled|segfault|aborted|cannot|failed)\b";

/// One task whose essential container ended.
pub(super) struct Ending<'a> {
    pub(super) task: &'a Cited<TaskSnapshot>,
    pub(super) container: &'a ContainerSnapshot,
    pub(super) definition: Option<&'a Cited<TaskDefinitionSnapshot>>,
    pub(super) lines: Vec<(EvidenceId, &'a LogLine)>,
}

/// All modes in which a process ends by itself; one finding a mode and container.
pub(crate) fn exits(view: &View<'_>) -> Vec<Finding> {
    let Some(patterns) = Patterns::new() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = Vec::new();
    let mut explained: Vec<((&str, &str), String)> = Vec::new();
    let mut unexplained = Vec::new();
    for ending in endings(view) {
        let task = ending.task;
        // A task whose own last words were not read ended as its siblings did.
        if ending.lines.is_empty()
            && ending.container.reason.is_none()
            && let Some((_, mode)) = explained
                .iter()
                .find(|(program, _)| *program == ending.program())
        {
            affect(&mut findings, mode, task);
            continue;
        }
        let specific = out_of_memory(view, &ending)
            .or_else(|| entrypoint::java_heap(view, &ending))
            .or_else(|| startup::refused(view, &ending))
            .or_else(|| entrypoint::bad_shebang(view, &ending))
            .or_else(|| entrypoint::not_executable(view, &ending))
            .or_else(|| wrong_architecture(view, &ending))
            .or_else(|| command_not_found(view, &ending))
            .or_else(|| sidecar(view, &ending))
            .or_else(|| abrupt::abrupt(view, &ending))
            .or_else(|| missing_variable(view, &ending, &patterns))
            .or_else(|| dependency(view, &ending, &patterns));
        match specific {
            Some(finding) => {
                explained.push((ending.program(), finding.mode.clone()));
                add(&mut findings, finding, task);
            }
            None => unexplained.push(ending),
        }
    }
    for ending in &unexplained {
        let known = explained
            .iter()
            .any(|(program, _)| *program == ending.program());
        if !known && let Some(finding) = crash(view, ending, &patterns) {
            add(&mut findings, finding, ending.task);
        }
    }
    findings
}

/// Tasks that ended by themselves; those whose last words were read come first.
fn endings<'a>(view: &View<'a>) -> Vec<Ending<'a>> {
    let ended_by_itself = |task: &TaskSnapshot| match task.stop_code.as_deref() {
        Some("EssentialContainerExited") => true,
        // A program that cannot even be started is reported as a failed start.
        Some("TaskFailedToStart") => {
            has_any(&reasons(task), &["CannotStartContainer", "OutOfMemory"])
        }
        _ => reasons(task).contains("Essential container in task exited"),
    };
    let mut endings: Vec<Ending<'a>> = view
        .failures()
        .filter(|task| ended_by_itself(task))
        .filter_map(|task| ending(view, task))
        .collect();
    endings.sort_by_key(|ending| ending.lines.is_empty());
    endings
}

/// Adds to the finding of this mode a task that it is about.
fn affect(findings: &mut [Finding], mode: &str, task: &TaskSnapshot) {
    if let Some(known) = findings.iter_mut().find(|known| known.mode == mode) {
        known.affected.push(task.arn.clone());
    }
}

/// Adds a finding, or to a known one of its mode the task that it is about.
fn add(findings: &mut Vec<Finding>, finding: Finding, task: &TaskSnapshot) {
    match findings.iter_mut().find(|known| known.mode == finding.mode) {
        Some(known) => known.affected.push(task.arn.clone()),
        None => findings.push(finding),
    }
}

impl<'a> Ending<'a> {
    /// What ended: tasks that run the same container of the same revision end for the same reason.
    fn program(&self) -> (&'a str, &'a str) {
        (&self.task.task_definition, &self.container.name)
    }
}

struct Patterns {
    variable: Regex,
    dependency: Regex,
    host_port: Regex,
    fatal: Regex,
}

impl Patterns {
    fn new() -> Option<Self> {
        Some(Self {
            variable: Regex::new(MISSING_VARIABLE).ok()?,
            dependency: Regex::new(UNREACHED_DEPENDENCY).ok()?,
            host_port: Regex::new(HOST_PORT).ok()?,
            fatal: Regex::new(FATAL_LINE).ok()?,
        })
    }
}

/// The container that ended first as far as can be told: one that failed, before one that was
/// stopped because of it.
fn ending<'a>(view: &View<'a>, task: &'a Cited<TaskSnapshot>) -> Option<Ending<'a>> {
    let definition = view.revision_of(task);
    let essential = |name: &str| {
        definition.is_none_or(|definition| {
            definition
                .containers
                .iter()
                .any(|container| container.name == name && container.essential)
        })
    };
    let weight = |container: &ContainerSnapshot| {
        if container.reason.is_some() {
            return 0;
        }
        match container.exit_code {
            Some(0) => 3,
            Some(143) => 4,
            Some(137) => 2,
            Some(_) => 1,
            None => 5,
        }
    };
    let container = task
        .containers
        .iter()
        .filter(|container| essential(&container.name))
        .min_by_key(|container| weight(container))?;
    let mut lines: Vec<_> = view.lines_of(task, Some(&container.name)).collect();
    if lines.is_empty() {
        lines = view.lines_of(task, None).collect();
    }
    Some(Ending {
        task,
        container,
        definition,
        lines,
    })
}

pub(super) fn draft<'a>(
    view: &View<'a>,
    ending: &Ending<'_>,
    mode: &str,
    sentence: String,
) -> Option<Draft<'a>> {
    Some(
        view.draft(mode)?
            .because(sentence)
            .cite_task(ending.task)
            .cite_container(ending.task, ending.container)
            .affects(&ending.container.name),
    )
}

fn out_of_memory(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    if !reasons(ending.task).contains("OutOfMemoryError") || growth::explains(view, ending.task) {
        return None;
    }
    let limit = ending.definition.and_then(|definition| {
        let container = definition
            .containers
            .iter()
            .find(|c| c.name == ending.container.name)?;
        container.memory_mib.or(definition.memory_mib)
    });
    let limit = limit.map_or_else(String::new, |limit| format!(" of {limit} MiB"));
    draft(
        view,
        ending,
        "oom-kill-137",
        format!(
            "Container `{}` of {} needs more memory than its limit{limit} and is killed for it.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "")
    .finish()
}

fn wrong_architecture(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    const SAYS: &str = "exec format error";
    let line = ending
        .lines
        .iter()
        .find(|(_, line)| line.text.contains(SAYS));
    if line.is_none() && !reasons(ending.task).contains(SAYS) {
        return None;
    }
    let architecture = ending
        .definition
        .and_then(|definition| definition.cpu_architecture.clone())
        .unwrap_or_else(|| "X86_64".to_owned());
    let draft = draft(
        view,
        ending,
        "exec-format-error",
        format!(
            "The program in container `{}` was built for another CPU than the {architecture} that {} runs on.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "");
    cite_line(draft, line).finish()
}

fn command_not_found(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let text = reasons(ending.task);
    let words = has_any(
        &text,
        &["executable file not found", "no such file or directory"],
    );
    if ending.container.exit_code != Some(127) && !words {
        return None;
    }
    let line = ending.lines.iter().find(|(_, line)| {
        has_any(
            &line.text,
            &[
                "not found",
                "no such file or directory",
                "No such file or directory",
            ],
        )
    });
    let draft = draft(
        view,
        ending,
        "exit-127-command-not-found",
        format!(
            "Container `{}` of {} is told to run a program that is not in its image.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "");
    cite_line(draft, line).finish()
}

fn sidecar(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let definition = ending.definition?;
    let main = view.main_container(definition)?;
    if main.name == ending.container.name || definition.containers.len() < 2 {
        return None;
    }
    let main_state = ending
        .task
        .containers
        .iter()
        .find(|state| state.name == main.name)?;
    let main_was_stopped = matches!(main_state.exit_code, None | Some(0 | 137 | 143));
    let failed = ending
        .container
        .exit_code
        .is_some_and(|code| !matches!(code, 137 | 143));
    if !main_was_stopped || !failed {
        return None;
    }
    let line = ending.lines.last();
    let router = definition
        .containers
        .iter()
        .any(|container| container.name == ending.container.name && container.is_log_router);
    let mode = match router {
        true => "firelens-config-or-router-crash",
        false => "essential-sidecar-exited",
    };
    let draft = draft(
        view,
        ending,
        mode,
        format!(
            "Sidecar `{}` exits with code {} and, being essential, takes `{}` down with it.",
            ending.container.name,
            ending.container.exit_code.unwrap_or_default(),
            main.name
        ),
    )?
    .cite_container(ending.task, main_state)
    .decided(true, "");
    cite_line(draft, line).finish()
}

fn missing_variable(view: &View<'_>, ending: &Ending<'_>, patterns: &Patterns) -> Option<Finding> {
    let (line, name) = ending.lines.iter().rev().find_map(|line| {
        let text = plain(&line.1.text);
        let captures = patterns.variable.captures(&text)?;
        let name = ["a", "b", "c", "d", "e"]
            .iter()
            .find_map(|group| captures.name(group))?;
        Some((line, name.as_str().to_owned()))
    })?;
    let definition = ending.definition?;
    let container = definition
        .containers
        .iter()
        .find(|c| c.name == ending.container.name)?;
    let present = container.environment_names.contains(&name)
        || container.secrets.iter().any(|secret| secret.name == name);
    if present {
        return None;
    }
    let earlier = view
        .observation
        .other_task_definitions
        .iter()
        .find(|other| {
            other.arn != definition.arn
                && other.containers.iter().any(|c| {
                    c.name == container.name
                        && (c.environment_names.contains(&name)
                            || c.secrets.iter().any(|secret| secret.name == name))
                })
        });
    let since = earlier.map_or_else(String::new, |earlier| {
        format!(", although {} still had it", short(&earlier.arn))
    });
    let draft = draft(
        view,
        ending,
        "required-env-var-missing",
        format!(
            "Container `{}` ends because the variable `{name}` is not in {}{since}.",
            container.name,
            short(&definition.arn)
        ),
    )?
    .affects(&name)
    .decided(
        earlier.is_some(),
        "an earlier revision of the family that has the variable",
    );
    let draft = cite_line(draft, Some(line));
    match earlier {
        Some(earlier) => draft.cite(earlier.evidence, &[&name]),
        None => draft,
    }
    .finish()
}

fn dependency(view: &View<'_>, ending: &Ending<'_>, patterns: &Patterns) -> Option<Finding> {
    ending.container.exit_code.filter(|code| *code != 0)?;
    let line = ending
        .lines
        .iter()
        .rev()
        .find(|(_, line)| patterns.dependency.is_match(&line.text))?;
    let peer = patterns.host_port.captures(&line.1.text);
    let port = peer
        .as_ref()
        .and_then(|peer| peer.name("port")?.as_str().parse::<i32>().ok());
    let named = peer.as_ref().and_then(|peer| peer.get(0)).map_or_else(
        || "something it depends on".to_owned(),
        |peer| format!("`{}`", peer.as_str()),
    );
    let groups = service_groups(view.observation);
    let blocked = port.is_some_and(|port| !groups.is_empty() && !opens_egress(&groups, port));
    let draft = if blocked {
        let mut draft = draft(
            view,
            ending,
            "sg-egress-blocked",
            format!(
                "The tasks' security groups let nothing out to {named}, which container `{}` needs to start.",
                ending.container.name
            ),
        )?
        .decided(true, "");
        for group in &groups {
            draft = draft.cite(group.evidence, &[&group.id]).affects(&group.id);
        }
        draft
    } else {
        draft(
            view,
            ending,
            "app-dependency-unreachable",
            format!(
                "Container `{}` ends because {named} does not answer.",
                ending.container.name
            ),
        )?
        .decided(false, "a read of the dependency itself")
    };
    cite_line(draft, Some(line)).finish()
}

fn crash(view: &View<'_>, ending: &Ending<'_>, patterns: &Patterns) -> Option<Finding> {
    let code = ending.container.exit_code?;
    // 126..=128 and signals have modes of their own; 137 alone says nothing about memory.
    if !(1..=125).contains(&code) && code != 255 {
        return None;
    }
    let fatal = ending
        .lines
        .iter()
        .rev()
        .find(|(_, line)| patterns.fatal.is_match(&line.text))
        .or_else(|| ending.lines.last());
    let last_words = fatal.map_or_else(String::new, |(_, line)| {
        let words: String = line.text.chars().take(120).collect();
        format!("; its last words are `{words}`")
    });
    let draft = draft(
        view,
        ending,
        "app-crash-exit-nonzero",
        format!(
            "The program in container `{}` of {} ends by itself with exit code {code}{last_words}.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(fatal.is_some(), "the container's log lines around its end");
    cite_line(draft, fatal).finish()
}

pub(super) fn cite_line<'a>(draft: Draft<'a>, line: Option<&(EvidenceId, &LogLine)>) -> Draft<'a> {
    match line {
        Some((evidence, line)) => draft.cite(*evidence, &[&line.text]),
        None => draft,
    }
}
