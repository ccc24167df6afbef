//! Memory that grows until the kernel kills, again and again.

use chrono::TimeDelta;

use super::Finding;
use super::view::{View, reasons, short};
use crate::observation::{Cited, TaskSnapshot};

/// Killed sooner than this, a program needs more memory than it has; it does not leak.
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(5);

/// `memory-leak`: tasks of the present revision that are killed for memory after lives of the same
/// length. Between two kills the service is steady, so what is history for other modes counts here.
pub(crate) fn growth(view: &View<'_>) -> Option<Finding> {
    let lives = lives(view);
    let [(_, first), .., (_, last)] = lives.as_slice() else {
        return None;
    };
    let (shortest, longest) = (
        lives.iter().map(|(life, _)| *life).min()?,
        lives.iter().map(|(life, _)| *life).max()?,
    );
    // Two tasks that die together may have died of the same burst: it takes two generations.
    let apart = last.stopped_at? - first.stopped_at?;
    if apart < shortest / 2 {
        return None;
    }
    let minutes = longest.num_minutes().max(1);
    let mut draft = view
        .draft("memory-leak")?
        .because(format!(
            "Tasks of {} are killed for memory again and again after some {minutes} minutes: the program loses memory.",
            short(&last.task_definition)
        ))
        .decided(
            (longest - shortest) * 4 <= longest,
            "cloudwatch:GetMetricData of MemoryUtilization over a day",
        )
        .affects(&view.observation.service.arn);
    for (_, task) in lives {
        draft = draft.cite_task(task);
    }
    draft.finish()
}

/// Whether the end of a task is one of a leak's.
pub(super) fn explains(view: &View<'_>, task: &TaskSnapshot) -> bool {
    growth(view).is_some_and(|finding| finding.affected.contains(&task.arn))
}

/// How long the tasks lived that were killed for memory, in the order of their ends.
fn lives<'a>(view: &View<'a>) -> Vec<(TimeDelta, &'a Cited<TaskSnapshot>)> {
    let present = &view.observation.service.task_definition;
    let mut lives: Vec<(TimeDelta, &Cited<TaskSnapshot>)> = view
        .observation
        .tasks
        .iter()
        .filter(|task| task.last_status == "STOPPED" && task.task_definition == *present)
        .filter(|task| reasons(task).contains("OutOfMemoryError"))
        .filter_map(|task| Some((task.stopped_at? - task.started_at?, task)))
        .filter(|(life, _)| *life >= SHORTEST_LIFE)
        .collect();
    lives.sort_by_key(|(_, task)| task.stopped_at);
    lives
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_roots;
    use crate::testing::*;

    fn killed(world: &mut World, started: i64, stopped: i64) {
        let task = world.exited(stopped, 137);
        task.started_at = Some(at(started));
        task.created_at = Some(at(started - 20));
        task.containers[0].reason =
            Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
    }

    #[test]
    fn kills_after_lives_of_one_length_are_a_leak() {
        let mut world = World::healthy();
        killed(&mut world, -3_000, -2_100);
        killed(&mut world, -2_000, -1_090);
        world.event(-1_000, "(service web) has reached a steady state.");
        assert_roots(&world, &["memory-leak"]);
    }

    /// Look-alikes: too little memory from the start, one burst, and a leak that is repaired.
    #[test]
    fn one_burst_or_a_small_limit_is_no_leak() {
        let mut world = World::deploying(|_| ());
        killed(&mut world, -200, -180);
        killed(&mut world, -150, -130);
        assert_roots(&world, &["oom-kill-137"]);

        let mut world = World::healthy();
        killed(&mut world, -3_000, -1_000);
        killed(&mut world, -3_000, -998);
        world.event(-900, "(service web) has reached a steady state.");
        assert_roots(&world, &[]);

        let mut world = World::healthy();
        killed(&mut world, -3_000, -2_100);
        killed(&mut world, -2_000, -1_090);
        for task in world
            .tasks
            .iter_mut()
            .filter(|task| task.last_status == "STOPPED")
        {
            task.task_definition = revision_arn(0);
        }
        world.event(-900, "(service web) has reached a steady state.");
        assert_roots(&world, &[]);
    }
}
