//! Programs that the kernel or the resolver refuses something: a port, a directory, a descriptor, room
//! on the disk, a name.

use regex::Regex;

use super::exits::{Ending, cite_line, draft};
use super::view::{View, short};
use super::{Confidence, Finding};
use crate::observation::{ContainerDefinition, EvidenceId, LogLine};

/// A port below 1024 that a process without root's capabilities may not bind.
const PORT_REFUSED: &str = r"(?i)(?:bind\(\) to \S+ failed \(13: permission denied\)|listen (?:EACCES:? permission denied|tcp \S+ bind: permission denied)|EACCES: permission denied,? \S*:?(?:[0-9]{1,3})\b|:[0-9]{1,4}: bind: permission denied)";

const READ_ONLY: &str = r"(?:[Rr]ead-only file system|EROFS)";

const TOO_MANY_FILES: &str = r"(?:EMFILE|[Tt]oo many open files)";

const DISK_FULL: &str = r"(?:No space left on device|ENOSPC)";

/// A name that was asked for and that nobody knows.
const UNKNOWN_NAME: &str = r"(?x)
    getaddrinfo\ (?:ENOTFOUND|EAI_AGAIN)\ (?<a>[A-Za-z0-9._-]+)
  | UnknownHostException:?\ (?<b>[A-Za-z0-9._-]+)
  | lookup\ (?<c>[A-Za-z0-9._-]+)(?:\ on\ \S+)?:\ no\ such\ host
  | could\ not\ translate\ host\ name\ .(?<d>[A-Za-z0-9._-]+).
  | (?:[Tt]emporary\ failure\ in\ name\ resolution|Name\ or\ service\ not\ known)";

/// `privileged-port-permission-denied`, `readonly-filesystem-write`, `ulimit-nofile-exhausted`,
/// `ephemeral-storage-full-runtime`, `dns-resolution-app-failure`: one line of the program decides which,
/// and the task definition how sure that is.
pub(super) fn refused(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    ending.container.exit_code.filter(|code| *code != 0)?;
    port(view, ending)
        .or_else(|| read_only(view, ending))
        .or_else(|| open_files(view, ending))
        .or_else(|| disk(view, ending))
        .or_else(|| name(view, ending))
}

type Line<'a> = (EvidenceId, &'a LogLine);

/// The last line of a task that says this.
fn says<'e, 'a>(ending: &'e Ending<'a>, pattern: &str) -> Option<&'e Line<'a>> {
    let pattern = Regex::new(pattern).ok()?;
    ending
        .lines
        .iter()
        .rev()
        .find(|(_, line)| pattern.is_match(&line.text))
}

fn definition<'a>(ending: &Ending<'a>) -> Option<&'a ContainerDefinition> {
    ending
        .definition?
        .value
        .containers
        .iter()
        .find(|container| container.name == ending.container.name)
}

fn port(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let line = says(ending, PORT_REFUSED)?;
    let user = definition(ending).is_some_and(|container| container.runs_as_other_user);
    let draft = draft(
        view,
        ending,
        "privileged-port-permission-denied",
        format!(
            "The program in container `{}` of {} may not bind its port: only root may bind a port below 1024.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(user, "the user that the image runs as");
    cite_line(draft, Some(line)).finish()
}

fn read_only(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let line = says(ending, READ_ONLY)?;
    let asked = definition(ending).is_some_and(|container| container.read_only_root);
    let draft = draft(
        view,
        ending,
        "readonly-filesystem-write",
        format!(
            "The program in container `{}` of {} writes to its own files, which are read-only.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(asked, "which volume the path is on");
    cite_line(draft, Some(line)).finish()
}

fn open_files(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let line = says(ending, TOO_MANY_FILES)?;
    let limit = definition(ending).and_then(|container| container.open_files_limit);
    let most = limit.map_or_else(String::new, |limit| format!(" of {limit}"));
    let draft = draft(
        view,
        ending,
        "ulimit-nofile-exhausted",
        format!(
            "The program in container `{}` of {} needs more open files than its limit{most}.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(
        limit.is_some(),
        "how many files the process holds over time: a default limit that is reached points at a leak",
    );
    cite_line(draft, Some(line)).finish()
}

fn disk(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let line = says(ending, DISK_FULL)?;
    let size = ending
        .definition
        .and_then(|definition| definition.ephemeral_storage_gib)
        .map_or_else(String::new, |gib| format!(" of {gib} GiB"));
    let draft = draft(
        view,
        ending,
        "ephemeral-storage-full-runtime",
        format!(
            "Container `{}` of {} fills the disk{size} of its task.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "");
    cite_line(draft, Some(line)).finish()
}

fn name(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let line = says(ending, UNKNOWN_NAME)?;
    let captures = Regex::new(UNKNOWN_NAME).ok()?.captures(&line.1.text)?;
    let host = ["a", "b", "c", "d"]
        .iter()
        .find_map(|group| captures.name(group));
    let named = host.map_or_else(
        || "a name that it needs".to_owned(),
        |host| format!("`{}`", host.as_str()),
    );
    let draft = draft(
        view,
        ending,
        "dns-resolution-app-failure",
        format!(
            "Container `{}` of {} ends because no resolver knows {named}.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(false, "the record of that name")
    .at_most(Confidence::Medium);
    let draft = match host {
        Some(host) => draft.affects(host.as_str()),
        None => draft,
    };
    cite_line(draft, Some(line)).finish()
}

#[cfg(test)]
#[path = "startup_tests.rs"]
mod tests;
