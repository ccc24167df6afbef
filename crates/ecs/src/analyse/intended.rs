//! Tasks that somebody or something wanted to stop: people, tools, AWS's maintenance, the scheduler.

use chrono::TimeDelta;

use super::view::{View, plain, short};
use super::{Finding, Role};
use crate::observation::{Cited, TaskSnapshot};

/// Fewer stops than this are an operator at work.
const MANY_STOPS: usize = 3;

/// Stops that a steady state followed count for this long.
const LATELY: TimeDelta = TimeDelta::minutes(15);
/// Stops that are closer to one another are one occasion.
const OCCASION: TimeDelta = TimeDelta::seconds(60);

/// How many times somebody came to stop tasks.
fn occasions(stops: &[&Cited<TaskSnapshot>]) -> usize {
    let mut times: Vec<_> = stops.iter().filter_map(|task| task.stopped_at).collect();
    times.sort_unstable();
    let apart = times.windows(2).filter(|pair| match pair {
        [earlier, later] => *later - *earlier >= OCCASION,
        _ => false,
    });
    apart.count() + usize::from(!times.is_empty())
}

/// `task-stopped-by-user`: a person or a tool keeps stopping tasks, which ECS then replaces.
pub(crate) fn stopped_by_user(view: &View<'_>) -> Option<Finding> {
    let now = view.observation.observed_at;
    let stops: Vec<&Cited<TaskSnapshot>> = view
        .observation
        .tasks
        .iter()
        .filter(|task| task.stop_code.as_deref() == Some("UserInitiated"))
        .filter(|task| {
            task.stopped_at
                .is_some_and(|at| now - at < LATELY || view.is_recent(at))
        })
        .collect();
    let latest = stops.iter().max_by_key(|task| task.stopped_at)?;
    let unsettled = stops
        .iter()
        .filter(|task| task.stopped_at.is_some_and(|at| view.is_recent(at)))
        .count();
    // Between two stops ECS may call the service steady; all at once is a restart by hand.
    if unsettled < MANY_STOPS && occasions(&stops) < MANY_STOPS {
        return None;
    }
    let reason = plain(latest.stopped_reason.as_deref().unwrap_or_default());
    let mut draft = view
        .draft("task-stopped-by-user")?
        .because(format!(
            "Somebody or some tool has stopped {} tasks of `{}` (\"{reason}\"); they did not fail.",
            stops.len(),
            view.observation.service.name
        ))
        .decided(true, "");
    for task in stops {
        draft = draft.cite_task(task);
    }
    draft.finish()
}

/// `fargate-task-retirement`, `sigterm-143-normal-stop`: what is seen in the list of stopped tasks and is
/// nobody's fault. Said only beside something else, so that a healthy service has no finding.
pub(crate) fn notes(view: &View<'_>) -> Vec<Finding> {
    [retirement(view), normal_stop(view)]
        .into_iter()
        .flatten()
        .collect()
}

fn retirement(view: &View<'_>) -> Option<Finding> {
    let task = view.observation.tasks.iter().find(|task| {
        task.stopped_reason.as_deref().is_some_and(|reason| {
            reason.contains("performing maintenance on the underlying infrastructure")
        })
    })?;
    view.draft("fargate-task-retirement")?
        .because(format!(
            "AWS replaced task {} for maintenance of the host below it.",
            short(&task.arn)
        ))
        .cite_task(task)
        .role(Role::Contributing)
        .decided(true, "")
        .finish()
}

fn normal_stop(view: &View<'_>) -> Option<Finding> {
    let (task, container) = view.observation.tasks.iter().find_map(|task| {
        let asked = task.stop_code.as_deref() == Some("ServiceSchedulerInitiated")
            && task
                .stopped_reason
                .as_deref()
                .is_some_and(|reason| reason.starts_with("Scaling activity initiated by"));
        let container = task
            .containers
            .iter()
            .find(|container| container.exit_code == Some(143))?;
        asked.then_some((task, container))
    })?;
    view.draft("sigterm-143-normal-stop")?
        .because(format!(
            "Container `{}` of task {} ended with 143 because ECS asked it to: that is no crash.",
            container.name,
            short(&task.arn)
        ))
        .cite_task(task)
        .cite_container(task, container)
        .role(Role::Contributing)
        .decided(true, "")
        .finish()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::{assert_roots, diagnose};
    use crate::testing::*;

    #[test]
    fn stops_by_hand_are_a_cause_when_they_go_on() {
        let mut world = World::healthy();
        for second in [-300, -200, -100] {
            world.stopped(second, "UserInitiated", "Task stopped by user");
        }
        assert_roots(&world, &["task-stopped-by-user"]);

        // Steady in between.
        let mut world = World::healthy();
        for second in [-700, -400, -100] {
            world.stopped(second, "UserInitiated", "Task stopped by user");
            world.event(second + 60, "(service web) has reached a steady state.");
        }
        assert_roots(&world, &["task-stopped-by-user"]);
    }

    /// Look-alikes: an operator at work, and stops that are history.
    #[test]
    fn a_stop_or_two_are_an_operator_at_work() {
        let mut world = World::healthy();
        world.stopped(-100, "UserInitiated", "Task stopped by user");
        world.stopped(-50, "UserInitiated", "restarting for the new config");
        assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);

        // A restart by hand, after which the service was steady.
        let mut world = World::healthy();
        for second in [-300, -299, -298, -297] {
            world.stopped(second, "UserInitiated", "Task stopped by user");
        }
        world.event(-200, "(service web) has reached a steady state.");
        assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);

        let mut world = World::healthy();
        for second in [-8_993, -8_992, -8_991] {
            world.stopped(second, "UserInitiated", "Task stopped by user");
        }
        assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);
    }

    #[test]
    fn what_was_intended_is_said_beside_a_cause_and_never_alone() {
        let intended = |world: &mut World| {
            world.stopped(
                -100,
                "ServiceSchedulerInitiated",
                "ECS is performing maintenance on the underlying infrastructure hosting the task",
            );
            let task = world.stopped(
                -90,
                "ServiceSchedulerInitiated",
                "Scaling activity initiated by (deployment ecs-svc/0000000000000000001)",
            );
            task.containers[0].exit_code = Some(143);
        };
        let mut world = World::healthy();
        intended(&mut world);
        assert_eq!(diagnose(&world).findings, []);

        let mut world = World::deploying(|_| ());
        intended(&mut world);
        world.exited(-60, 126);
        let diagnosis = assert_roots(&world, &["exit-126-not-executable"]);
        let said: Vec<&str> = diagnosis
            .findings
            .iter()
            .map(|finding| finding.mode.as_str())
            .collect();
        assert!(said.contains(&"fargate-task-retirement"), "{said:?}");
        assert!(said.contains(&"sigterm-143-normal-stop"), "{said:?}");
    }
}
