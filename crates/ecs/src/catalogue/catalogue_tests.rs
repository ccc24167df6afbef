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
const NOT_ANALYSED: [&str; 8] = [
    "bg-bake-time-in-progress",
    "cpu-starved-startup",
    "cpu-throttling",
    "instance-does-not-register",
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

/// Modes that no scenario of the lab shows yet. The list may only become shorter.
const NOT_SHOWN: [&str; 18] = [
    "bg-bake-time-in-progress",
    "capacity-provider-empty",
    "cpu-starved-startup",
    "cpu-throttling",
    "dependency-condition-timeout",
    "deployment-stuck-no-circuit-breaker",
    "fargate-task-retirement",
    "firelens-config-or-router-crash",
    "instance-does-not-register",
    "private-registry-credentials-bad",
    "resource-eni-limit",
    "resource-ports",
    "scaling-alarms-deleted",
    "scaling-min-capacity-zero",
    "sigkill-after-stop-timeout",
    "sigterm-143-normal-stop",
    "stale-revision-deployed",
    "task-definition-not-found",
];

/// The names of the lab's scenarios.
fn scenarios() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_mode_has_a_scenario_or_is_said_not_to() {
    let scenarios = scenarios();
    let catalogue = Catalogue::embedded().unwrap();
    let missing: Vec<&str> = catalogue
        .modes()
        .map(|mode| mode.id.as_str())
        .filter(|id| !scenarios.contains(*id))
        .collect();
    assert_eq!(missing, NOT_SHOWN);
}

/// The catalogue as a page for people.
fn page(catalogue: &Catalogue) -> String {
    let scenarios = scenarios();
    let mut page = String::from(
        "# Failure modes\n\nWhat `ecs-deep-agent` knows about the ways in which an ECS service fails. \
         This page is written from [`knowledge/`](../knowledge), one file a mode; a test keeps it equal \
         (`UPDATE_PAGES=1` writes it again). *Told* says whether a diagnosis can name the mode, \
         *shown* whether the [lab](scenarios.md) has a scenario for it, and *repair* who carries it out: \
         the program after approval (`approve`, `auto`) or a person (`human`).\n",
    );
    let categories: BTreeSet<&str> = catalogue
        .modes()
        .map(|mode| mode.category.as_str())
        .collect();
    for category in categories {
        page += &format!(
            "\n## {category}\n\n| mode | what happens | cause | severity | repair | told | shown |\n|---|---|---|---|---|---|---|\n"
        );
        for mode in catalogue.modes().filter(|mode| mode.category == category) {
            let id = mode.id.as_str();
            let repair = match mode.fix.mode {
                FixMode::Auto => "auto",
                FixMode::Approve => "approve",
                FixMode::Human => "human",
            };
            let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
            page += &format!(
                "| [`{id}`](../knowledge/{id}.yaml) | {} | {} | {} | {repair} | {} | {} |\n",
                cell(&mode.title),
                cell(mode.root_cause.trim()),
                mode.severity.as_str(),
                if NOT_ANALYSED.contains(&id) {
                    "no"
                } else {
                    "yes"
                },
                if scenarios.contains(id) { "yes" } else { "no" },
            );
        }
    }
    page
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks the test to write the page"
)]
fn the_page_of_failure_modes_is_the_catalogue() {
    let page = page(&Catalogue::embedded().unwrap());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failure-modes.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if written != page && std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(path, &page).unwrap();
        return;
    }
    assert!(
        written == page,
        "set UPDATE_PAGES=1 to write docs/failure-modes.md again"
    );
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
