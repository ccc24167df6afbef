//! Programs that end without a word of their own: by a signal of their making, or with success.

use regex::Regex;

use super::Finding;
use super::exits::{Ending, cite_line, draft};
use super::view::{View, short};

/// 128 + SIGABRT and 128 + SIGSEGV.
const ABORTED: i32 = 134;
const SEGFAULT: i32 = 139;

const ABORT_LINE: &str = r"(?:heap out of memory|terminate called after throwing|Assertion .* failed|abort\(\)|[Aa]borted)";
const SEGFAULT_LINE: &str = r"(?:[Ss]egmentation fault|SIGSEGV|core dumped)";

/// `exit-134-abort`, `exit-139-segfault`, `exit-0-essential-container`.
pub(super) fn abrupt(view: &View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let container = &ending.container.name;
    let revision = short(&ending.task.task_definition);
    let (mode, pattern, sentence) = match ending.container.exit_code? {
        ABORTED => (
            "exit-134-abort",
            ABORT_LINE,
            format!("The program in container `{container}` of {revision} aborts itself."),
        ),
        SEGFAULT => (
            "exit-139-segfault",
            SEGFAULT_LINE,
            format!(
                "The program in container `{container}` of {revision} dies of a segmentation fault."
            ),
        ),
        0 => (
            "exit-0-essential-container",
            ".",
            format!(
                "Essential container `{container}` of {revision} ends with success, and takes its task with it."
            ),
        ),
        _ => return None,
    };
    let pattern = Regex::new(pattern).ok()?;
    let line = ending
        .lines
        .iter()
        .rev()
        .find(|(_, line)| pattern.is_match(&line.text));
    let draft = draft(view, ending, mode, sentence)?.decided(true, "");
    cite_line(draft, line).finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_roots;
    use crate::testing::*;

    #[test]
    fn the_exit_code_tells_the_signal() {
        for (code, words, mode) in [
            (
                134,
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                "exit-134-abort",
            ),
            (139, "Segmentation fault (core dumped)", "exit-139-segfault"),
            // Without any line, too.
            (139, "", "exit-139-segfault"),
            (
                0,
                "migration finished, exiting",
                "exit-0-essential-container",
            ),
        ] {
            let mut world = World::deploying(|_| ());
            world.exited(-60, code);
            if !words.is_empty() {
                world.says("web", 5, words);
            }
            assert_roots(&world, &[mode]);
        }
    }

    /// Look-alikes: a program that fails, and one that the kernel killed for memory.
    #[test]
    fn other_codes_are_other_modes() {
        let mut world = World::deploying(|_| ());
        world.exited(-60, 3);
        world.says("web", 5, "fatal: Segmentation of the input is wrong");
        assert_roots(&world, &["app-crash-exit-nonzero"]);

        let mut world = World::deploying(|_| ());
        world.exited(-60, 137).containers[0].reason =
            Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
        assert_roots(&world, &["oom-kill-137"]);
    }

    /// A task that ECS stopped for a deployment may end with 0: nobody's failure.
    #[test]
    fn success_after_a_stop_that_was_asked_for_is_no_failure() {
        let mut world = World::healthy();
        let task = world.stopped(
            -60,
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by (deployment ecs-svc/0000000000000000001)",
        );
        task.containers[0].exit_code = Some(0);
        assert_roots(&world, &[]);
    }
}
