//! Containers that wait for another one in vain.

use regex::Regex;

use super::view::{Draft, View, reasons, short};
use super::{Confidence, Finding};

/// The agent's words; the same for every condition.
const WAITED: &str =
    r"container ordering dependency \[(?<dependency>[^\]]+)\] for target \[(?<target>[^\]]+)\]";

/// `dependency-container-failed`, `dependency-condition-timeout`.
pub(crate) fn ordering(view: &View<'_>) -> Vec<Finding> {
    let Ok(pattern) = Regex::new(WAITED) else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = Vec::new();
    for task in view.failures() {
        let text = reasons(task);
        let Some(captures) = pattern.captures(&text) else {
            continue;
        };
        let name = |group: &str| captures.name(group).map_or("", |found| found.as_str());
        let (dependency, target) = (name("dependency"), name("target"));
        let timed_out = text.contains("has timed out");
        let mode = if timed_out {
            "dependency-condition-timeout"
        } else {
            "dependency-container-failed"
        };
        if findings.iter().any(|finding| finding.mode == mode) {
            continue;
        }
        let ended = task
            .containers
            .iter()
            .find(|container| container.name == dependency);
        let code = ended.and_then(|container| container.exit_code);
        let last = view.lines_of(task, Some(dependency)).last();
        let definition = view.revision_of(task);
        let condition = definition.and_then(|definition| {
            let waits = definition
                .containers
                .iter()
                .find(|container| container.name == target)?;
            let (_, condition) = waits.depends_on.iter().find(|(on, _)| on == dependency)?;
            Some(condition.as_str())
        });
        let revision = short(&task.task_definition);
        let sentence = match (timed_out, code) {
            (true, _) => format!(
                "Container `{target}` of {revision} waits for `{dependency}` ({}), which does not come to it in time.",
                condition.unwrap_or("its condition")
            ),
            (false, Some(code)) => format!(
                "Container `{target}` of {revision} never starts because `{dependency}`, which it waits for, ends with exit code {code}."
            ),
            (false, None) => format!(
                "Container `{target}` of {revision} never starts because `{dependency}`, which it waits for, fails."
            ),
        };
        let draft = view.draft(mode).map(|draft| {
            let draft = draft
                .because(sentence)
                .affects(dependency)
                .cite_task(task)
                .decided(
                    timed_out || code.is_some(),
                    "ecs:DescribeTasks of the stopped task, which has the exit code",
                );
            let draft = match ended {
                Some(container) => draft.cite_container(task, container),
                None => draft,
            };
            let draft = match (definition, condition) {
                (Some(definition), Some(condition)) => {
                    draft.cite(definition.evidence, &[condition])
                }
                (Some(_), None) => draft.at_most(Confidence::Medium),
                (None, _) => draft,
            };
            match last {
                Some((evidence, line)) => draft.cite(evidence, &[&line.text]),
                None => draft,
            }
        });
        findings.extend(draft.and_then(Draft::finish));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_roots;
    use crate::observation::ContainerSnapshot;
    use crate::testing::*;

    fn waiting(reason: &str, exit_code: Option<i32>) -> World {
        let mut world = World::deploying(|definition| {
            let mut migrate = container("migrate", "1.4.1");
            migrate.essential = false;
            migrate.port_mappings.clear();
            definition.containers[0]
                .depends_on
                .push(("migrate".to_owned(), "SUCCESS".to_owned()));
            definition.containers.push(migrate);
        });
        let task = world.stopped(-60, "TaskFailedToStart", reason);
        task.containers.push(ContainerSnapshot {
            name: "migrate".to_owned(),
            exit_code,
            ..ContainerSnapshot::default()
        });
        world
    }

    #[test]
    fn a_container_that_fails_before_the_one_that_waits() {
        let mut world = waiting(
            "failed to resolve container ordering dependency [migrate] for target [web] as dependency did not exit successfully.",
            Some(1),
        );
        world.says("migrate", 5, "ERROR: relation orders does not exist");
        let diagnosis = assert_roots(&world, &["dependency-container-failed"]);
        assert!(
            diagnosis.findings[0]
                .evidence
                .iter()
                .any(|citation| citation.quote.contains("relation orders"))
        );
    }

    #[test]
    fn a_container_that_takes_too_long() {
        let world = waiting(
            "dependency graph: container ordering dependency [migrate] for target [web] has timed out.",
            None,
        );
        assert_roots(&world, &["dependency-condition-timeout"]);
    }

    /// Look-alike: the sidecar ends while the program runs.
    #[test]
    fn a_container_that_ends_later_is_no_ordering() {
        let mut world = waiting("Essential container in task exited", Some(0));
        let task = world.tasks.last_mut().unwrap();
        task.stop_code = Some("EssentialContainerExited".to_owned());
        task.containers[0].exit_code = Some(1);
        world.says("web", 5, "fatal: no configuration");
        assert_roots(&world, &["app-crash-exit-nonzero"]);
    }
}
