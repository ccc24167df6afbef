//! Programs that do not get as far as running: no execute bit, a broken first line, a heap too small.

use regex::Regex;

use super::Finding;
use super::exits::{Ending, cite_line, draft};
use super::view::{View, has_any, reasons, short};
use crate::observation::{EvidenceId, LogLine};

/// The kernel's or `env`'s words about a script whose first line names no interpreter that exists.
const BAD_SHEBANG: &str =
    r"(?:exec \S+\.sh: (?:no such file or directory|exec format error)|/usr/bin/env: .*\\r)";

/// The JVM's words about memory that its own settings leave too small.
const JAVA_HEAP: &str = r"java\.lang\.OutOfMemoryError: (?<kind>Java heap space|Metaspace|GC overhead limit exceeded|unable to create native thread)";

/// `exit-126-not-executable`.
pub(super) fn not_executable(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let says = |text: &str| {
        has_any(
            text,
            &["permission denied", "Permission denied", "cannot execute"],
        )
    };
    let stated = ending
        .container
        .reason
        .as_deref()
        .is_some_and(|reason| reason.contains("permission denied"));
    if ending.container.exit_code != Some(126) && !stated {
        return None;
    }
    let line = ending.lines.iter().find(|(_, line)| says(&line.text));
    let draft = draft(
        view,
        ending,
        "exit-126-not-executable",
        format!(
            "Container `{}` of {} is told to run a file that its user may not execute.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "");
    cite_line(draft, line).finish()
}

/// `entrypoint-script-bad-shebang`: the script is there, what its first line names is not.
pub(super) fn bad_shebang(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let pattern = Regex::new(BAD_SHEBANG).ok()?;
    let line = ending
        .lines
        .iter()
        .find(|(_, line)| pattern.is_match(&line.text));
    if line.is_none() && !pattern.is_match(&reasons(ending.task)) {
        return None;
    }
    let draft = draft(
        view,
        ending,
        "entrypoint-script-bad-shebang",
        format!(
            "The entrypoint script of container `{}` of {} has a first line, or line endings, that name no \
             interpreter in the image.",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(
        ending
            .definition
            .is_some_and(|definition| definition.cpu_architecture.is_some()),
        "the image's architecture, which rules out a program for another CPU",
    );
    cite_line(draft, line).finish()
}

/// `jvm-heap-misconfigured`: the JVM gives up inside the container's limit. A kill for memory from
/// outside is another mode.
pub(super) fn java_heap(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let pattern = Regex::new(JAVA_HEAP).ok()?;
    let (line, kind): (&(EvidenceId, &LogLine), String) =
        ending.lines.iter().rev().find_map(|line| {
            let captures = pattern.captures(&line.1.text)?;
            Some((line, captures.name("kind")?.as_str().to_owned()))
        })?;
    ending.container.exit_code.filter(|code| *code != 0)?;
    let limit = ending.definition.and_then(|definition| {
        let container = definition
            .containers
            .iter()
            .find(|container| container.name == ending.container.name)?;
        container.memory_mib.or(definition.memory_mib)
    });
    let limit = limit.map_or_else(String::new, |limit| {
        format!(" inside its limit of {limit} MiB")
    });
    let draft = draft(
        view,
        ending,
        "jvm-heap-misconfigured",
        format!(
            "The JVM in container `{}` of {} runs out of memory by its own settings{limit} ({kind}).",
            ending.container.name,
            short(&ending.task.task_definition)
        ),
    )?
    .decided(true, "");
    cite_line(draft, Some(line)).finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_roots;
    use crate::testing::*;

    #[test]
    fn a_file_that_may_not_be_executed() {
        let mut world = World::deploying(|_| ());
        world.exited(-60, 126);
        world.says("web", 1, "/bin/sh: 1: /app/start: Permission denied");
        assert_roots(&world, &["exit-126-not-executable"]);

        let mut world = World::deploying(|_| ());
        let task = world.stopped(-60, "TaskFailedToStart", "Task failed to start");
        task.containers[0].reason = Some(
            "CannotStartContainerError: OCI runtime create failed: exec: \"/app/start\": permission denied"
                .to_owned(),
        );
        assert_roots(&world, &["exit-126-not-executable"]);
    }

    #[test]
    fn a_script_without_its_interpreter() {
        for words in [
            "exec /app/start.sh: no such file or directory",
            "exec /app/start.sh: exec format error",
            "/usr/bin/env: 'bash\\r': No such file or directory",
        ] {
            let mut world = World::deploying(|_| ());
            world.exited(-60, 127);
            world.says("web", 1, words);
            assert_roots(&world, &["entrypoint-script-bad-shebang"]);
        }
    }

    #[test]
    fn a_task_whose_words_were_not_read_ended_as_its_sibling_did() {
        let mut world = World::deploying(|_| ());
        world.exited(-90, 127);
        world.exited(-60, 127);
        world.says("web", 1, "exec /app/start.sh: no such file or directory");
        let diagnosis = assert_roots(&world, &["entrypoint-script-bad-shebang"]);
        let tasks = diagnosis.findings[0]
            .affected
            .iter()
            .filter(|name| name.contains(":task/"))
            .count();
        assert_eq!(tasks, 2);
    }

    /// Look-alikes: a program that is not there, and one for another CPU.
    #[test]
    fn a_missing_or_foreign_program_is_no_broken_script() {
        let mut world = World::deploying(|_| ());
        world.exited(-60, 127);
        world.says("web", 1, "exec /app/start: no such file or directory");
        assert_roots(&world, &["exit-127-command-not-found"]);

        let mut world = World::deploying(|_| ());
        world.exited(-60, 255);
        world.says("web", 1, "exec /app/start: exec format error");
        assert_roots(&world, &["exec-format-error"]);
    }

    #[test]
    fn a_heap_that_is_too_small() {
        let mut world = World::deploying(|_| ());
        world.exited(-60, 3);
        world.says(
            "web",
            30,
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
        );
        assert_roots(&world, &["jvm-heap-misconfigured"]);
    }

    /// Look-alike: the kernel kills for memory, whatever the program wrote before.
    #[test]
    fn a_kill_for_memory_is_not_the_jvms_doing() {
        let mut world = World::deploying(|_| ());
        world.exited(-60, 137).containers[0].reason =
            Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
        world.says("web", 30, "java.lang.OutOfMemoryError: Metaspace");
        assert_roots(&world, &["oom-kill-137"]);
    }
}
