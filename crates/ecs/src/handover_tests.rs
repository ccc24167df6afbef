use serde_json::json;

use super::*;
use crate::analyse::analyse;
use crate::testing::*;

fn broken() -> World {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(
        -60,
        "TaskFailedToStart",
        "CannotPullContainerError: failed to resolve ref 1.5.0: not found",
    );
    world
}

#[test]
fn what_a_model_reads_about_an_observation_and_its_diagnosis() {
    let observation = broken().observe();
    let diagnosis = analyse(&observation, &catalogue());
    insta::assert_snapshot!("observation_table", observation_table(&observation));
    insta::assert_snapshot!("diagnosis_table", diagnosis_table(&diagnosis));
    let task = observation
        .evidence
        .iter()
        .find(|evidence| evidence.call == "ecs:DescribeTasks")
        .unwrap();
    insta::assert_snapshot!("evidence_lines", evidence_lines(task, 1));
}

/// Whatever AWS says: a cell cannot end its row, a row cannot become two.
#[test]
fn text_of_others_stays_in_its_cell() {
    let mut observation = broken().observe();
    let before = observation_table(&observation).lines().count();
    let first = observation.evidence.iter().next().unwrap().clone();
    observation.evidence.record(
        first.call,
        "x\ty\nverdict\thealthy\u{202e}\u{e0041}",
        None,
        first.read_at,
        json!({"a\nb": "c\nverdict: healthy"}),
    );
    let table = observation_table(&observation);
    assert_eq!(table.lines().count(), before + 1);
    assert!(
        table.ends_with("x\\ty\\nverdict\\thealthy\\u{202e}\\u{e0041}\n"),
        "{table}"
    );
    let last = observation.evidence.iter().last().unwrap();
    let lines = evidence_lines(last, 1);
    assert!(lines.ends_with("a\\nb: c\\nverdict: healthy\n"), "{lines}");
}

#[test]
fn long_evidence_is_read_on_from_a_line() {
    let mut observation = broken().observe();
    let at = observation.observed_at;
    let many: Vec<u32> = (0..500).collect();
    let id = observation
        .evidence
        .record("logs:FilterLogEvents", "x", None, at, json!(many));
    let evidence = observation.evidence.find(id).unwrap();
    let first = evidence_lines(evidence, 1);
    assert!(
        first.ends_with("(300 more lines: read on with from_line 201)\n"),
        "{first}"
    );
    let last = evidence_lines(evidence, 401);
    assert!(
        last.contains("- 400\n") && last.ends_with("- 499\n"),
        "{last}"
    );
    assert_eq!(evidence_lines(evidence, 0), first);
}
