//! Ends of tasks that go on: a replacement ends as the task before it did, however steady the service
//! was in between.

use chrono::{DateTime, TimeDelta, Utc};

use crate::observation::TaskSnapshot;

/// What a replacement needs beside its life: stopping, placement, the pull of its image.
const REPLACING: TimeDelta = TimeDelta::minutes(2);
/// A chain goes on if it is not longer silent than this many of its lives.
const LIVES: i32 = 2;

/// When the chain of ends that is still going on began; nothing without one, or if it has ended.
///
/// A chain needs a task that ended after it had run and a later one that did the same: tasks that
/// end together are one incident. It is over once its tasks have outlived the longest life in it.
pub(super) fn began<'a>(
    ends: impl Iterator<Item = &'a TaskSnapshot>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let mut lives: Vec<(DateTime<Utc>, DateTime<Utc>)> = ends
        .filter_map(|task| Some((task.started_at?, task.stopped_at?)))
        .filter(|(started, stopped)| started <= stopped)
        .collect();
    lives.sort_by_key(|(_, stopped)| *stopped);
    let (_, first_stop) = *lives.first()?;
    let (_, last_stop) = *lives.last()?;
    // The first task may have lived long before whatever ends tasks now.
    let replaced = |started: DateTime<Utc>| lives.iter().any(|(_, stopped)| *stopped <= started);
    let longest = lives
        .iter()
        .filter(|(started, _)| replaced(*started))
        .map(|(started, stopped)| *stopped - *started)
        .max()?;
    let silence = longest * LIVES + REPLACING;
    if now - last_stop > silence {
        return None;
    }
    let mut began = last_stop;
    for (_, stopped) in lives.iter().rev() {
        if began - *stopped > silence {
            break;
        }
        began = *stopped;
    }
    (began < last_stop || first_stop < last_stop).then_some(began)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn ends(lives: &[(i64, i64)]) -> Option<DateTime<Utc>> {
        let tasks: Vec<TaskSnapshot> = lives
            .iter()
            .map(|(started, stopped)| TaskSnapshot {
                started_at: Some(at(*started)),
                stopped_at: Some(at(*stopped)),
                ..TaskSnapshot::default()
            })
            .collect();
        began(tasks.iter(), at(0))
    }

    #[test]
    fn replacements_that_end_too_are_a_chain_from_its_first_end() {
        assert_eq!(
            ends(&[(-9_000, -200), (-160, -135), (-100, -75)]),
            Some(at(-200))
        );
        // What lives longer may be silent for longer.
        assert_eq!(ends(&[(-3_000, -2_000), (-1_950, -950)]), Some(at(-2_000)));
    }

    #[test]
    fn a_chain_that_its_tasks_have_outlived_is_over() {
        assert_eq!(ends(&[(-900, -860), (-820, -780), (-740, -700)]), None);
    }

    #[test]
    fn one_end_and_ends_at_once_are_no_chain() {
        assert_eq!(ends(&[]), None);
        assert_eq!(ends(&[(-90, -60)]), None);
        assert_eq!(ends(&[(-9_000, -61), (-9_000, -60)]), None);
    }

    #[test]
    fn an_older_incident_is_no_part_of_the_chain() {
        assert_eq!(
            ends(&[(-3_300, -3_275), (-200, -175), (-140, -115)]),
            Some(at(-175))
        );
    }
}
