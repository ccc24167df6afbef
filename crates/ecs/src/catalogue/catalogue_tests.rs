use std::collections::BTreeSet;

use super::*;

#[test]
fn every_embedded_entry_is_readable_and_complete() {
    let catalogue = Catalogue::embedded().unwrap();
    let categories: BTreeSet<&str> = catalogue
        .modes()
        .map(|mode| mode.category.as_str())
        .collect();
    assert!(
        catalogue.modes().count() >= 25 && categories.len() >= 8,
        "{categories:?}"
    );
    for mode in catalogue.modes() {
        assert!(
            !mode.symptoms.is_empty() && !mode.root_cause.is_empty(),
            "{}",
            mode.id
        );
        for alike in &mode.look_alikes {
            assert!(
                catalogue.mode(&alike.id).is_some(),
                "{} names {}",
                mode.id,
                alike.id
            );
        }
        for action in mode.iam.diagnose.iter().chain(&mode.iam.fix) {
            assert!(action.contains(':'), "{}: {action}", mode.id);
        }
    }
}

/// Modes that no analysis tells yet: they need reads that are not made (metrics, alarms, the lifecycle
/// of a service deployment, Auto Scaling groups), or cannot be told from what was meant.
const NOT_ANALYSED: [&str; 9] = [
    "bg-bake-time-in-progress",
    "cpu-starved-startup",
    "cpu-throttling",
    "instance-does-not-register",
    "memory-leak",
    "scaling-alarms-deleted",
    "scaling-min-capacity-zero",
    "stale-revision-deployed",
    "task-definition-not-found",
];

#[test]
fn every_mode_is_analysed_or_said_not_to_be() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/analyse");
    let code: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with("_tests.rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let catalogue = Catalogue::embedded().unwrap();
    let missing: Vec<&str> = catalogue
        .modes()
        .map(|mode| mode.id.as_str())
        .filter(|id| !code.contains(&format!("\"{id}\"")))
        .collect();
    assert_eq!(missing, NOT_ANALYSED);
}

#[test]
fn permissions_are_never_granted_by_the_program() {
    let catalogue = Catalogue::embedded().unwrap();
    for mode in catalogue.modes() {
        let grants = mode.fix.ops.iter().any(|op| op.op.starts_with("iam:"));
        assert!(!grants || mode.fix.mode == FixMode::Human, "{}", mode.id);
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks the test to publish the schema"
)]
fn the_published_schema_is_the_types_schema() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Mode)).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../knowledge/schema.json");
    let published = std::fs::read_to_string(path).unwrap_or_default();
    if published != schema && std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).unwrap();
        return;
    }
    assert_eq!(
        published, schema,
        "set UPDATE_SCHEMA=1 to publish knowledge/schema.json again"
    );
}
