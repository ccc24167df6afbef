//! Random schedules of random plots: completions in any order, crashes at any point, outcomes that
//! arrive twice, models that fail, people who cancel or write anew, budgets that end.
//!
//! A plot says what the agents, tools and people do; a schedule says when. Everything follows from
//! two seeds, which a failure names. `SIMULATION_SCHEDULES` sets how many schedules are tried and
//! `SIMULATION_SEED` where they begin.

mod chance;
mod script;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ecs_agent_runtime::RunOutcome;

use world::{Ending, World};

/// How hard it is for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Nothing disturbs it.
    Still,
    /// Anything that must not change how it ends: any order, crashes, repetitions, retries.
    Calm,
    /// Also what does: limits, cancels, new messages, models that give up.
    Rough,
}

/// A defect of the driver around the machine, to see that the simulation would notice it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The outcome of a tool is logged once more.
    TakesAnOutcomeTwice,
    /// An outcome is taken in and never made durable.
    ForgetsAnOutcome,
    /// A tool acts before its intent is logged.
    ActsBeforeItLogs,
    /// A tool acts after the run's end.
    ActsAfterTheEnd,
    /// What follows depends on whether there was a crash.
    AnswersAnewAfterACrash,
    /// The limits that are logged are not those that were set.
    RaisesItsBudgets,
}

/// Schedules that one plot is told under.
const SCHEDULES_A_PLOT: u64 = 10;

/// Tells a plot undisturbed, then under schedules that must not change its end, then under some that
/// may.
fn tell(plot: u64, fault: Fault) -> Vec<Ending> {
    let told = |schedule: u64, weather: Weather| {
        let seed = plot.wrapping_mul(1_000).wrapping_add(schedule);
        World::new(plot, seed, weather, fault).run()
    };
    let undisturbed = told(0, Weather::Still);
    let mut endings = Vec::new();
    for schedule in 1..SCHEDULES_A_PLOT {
        let weather = match schedule % 2 {
            0 => Weather::Calm,
            _ => Weather::Rough,
        };
        let ending = told(schedule, weather);
        if weather == Weather::Calm {
            assert_eq!(
                ending, undisturbed,
                "an interrupted run ends as an uninterrupted one (schedule {schedule})"
            );
        }
        endings.push(ending);
    }
    endings.push(undisturbed);
    endings
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("`{name}` is a number, not `{text}`"))
    })
}

/// In so many plots every fault has to be seen.
const PLOTS_TO_SEE_A_FAULT: u64 = 60;

#[test]
fn whatever_the_schedule_the_invariants_hold() {
    let schedules = setting("SIMULATION_SCHEDULES", 10_000);
    let first = setting("SIMULATION_SEED", 1);
    let plots = schedules.div_ceil(SCHEDULES_A_PLOT);
    let (mut completed, mut other, mut frames, mut changes) = (0_u64, 0_u64, 0_usize, 0_usize);
    for plot in first..first + plots {
        let endings = catch_unwind(AssertUnwindSafe(|| tell(plot, Fault::None)));
        let endings = endings.unwrap_or_else(|_| {
            panic!("plot {plot}: repeat it with SIMULATION_SEED={plot} SIMULATION_SCHEDULES=1")
        });
        for ending in endings {
            match ending.outcome() {
                RunOutcome::Completed { .. } => completed += 1,
                RunOutcome::Cancelled { .. }
                | RunOutcome::BudgetExhausted { .. }
                | RunOutcome::Failed { .. } => other += 1,
            }
            frames += ending.size().0;
            changes += ending.size().1;
        }
    }
    println!(
        "{} schedules of {plots} plots from seed {first}: {completed} completed, {other} ended \
         otherwise; {frames} frames, {changes} changes",
        completed + other
    );
    let told = usize::try_from(completed + other).unwrap();
    assert!(
        completed > 0 && other > 0 && frames > told && changes > 0,
        "the simulation saw what it is about"
    );
}

/// The positive control: a simulation that cannot see a defect proves nothing.
#[test]
fn every_fault_of_a_driver_is_seen() {
    for fault in [
        Fault::TakesAnOutcomeTwice,
        Fault::ForgetsAnOutcome,
        Fault::ActsBeforeItLogs,
        Fault::ActsAfterTheEnd,
        Fault::AnswersAnewAfterACrash,
        Fault::RaisesItsBudgets,
    ] {
        let expected: &[&str] = match fault {
            Fault::None => &[],
            Fault::TakesAnOutcomeTwice | Fault::ForgetsAnOutcome => &[
                "the log cannot be folded",
                "folding the log",
                "the disk has",
            ],
            Fault::ActsBeforeItLogs => &["changed something twice"],
            Fault::ActsAfterTheEnd => &["something was done after the end"],
            Fault::AnswersAnewAfterACrash => &["ends as an uninterrupted one"],
            Fault::RaisesItsBudgets => &["too m", "a budget is spent"],
        };
        let seen: Vec<String> = (1..PLOTS_TO_SEE_A_FAULT)
            .filter_map(|plot| catch_unwind(AssertUnwindSafe(|| tell(plot, fault))).err())
            .map(|panic| match panic.downcast::<String>() {
                Ok(words) => *words,
                Err(other) => other
                    .downcast::<&str>()
                    .map_or_else(|_| String::new(), |words| (*words).to_owned()),
            })
            .collect();
        let named = seen
            .iter()
            .filter(|words| expected.iter().any(|part| words.contains(part)));
        assert!(
            named.count() > 0,
            "{fault:?} was not seen as what it is: {seen:?}"
        );
    }
}
