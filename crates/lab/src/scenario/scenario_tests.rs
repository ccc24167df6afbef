use chrono::TimeDelta;

use super::*;
use crate::world::{Region, Service, World};

fn simulation(name: &str) -> (Scenario, Simulation) {
    let scenario = Scenario::named(name).unwrap();
    let simulation = scenario
        .simulate()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    (scenario, simulation)
}

fn target<'w>(scenario: &Scenario, world: &'w World) -> (&'w Region, &'w Service) {
    let (account, region) = scenario.target_place();
    let region = world.region(&account, &region).unwrap();
    let target = &scenario.truth.target;
    (
        region,
        region.service(&target.cluster, &target.service).unwrap(),
    )
}

#[test]
fn every_scenario_shows_its_symptoms_in_the_words_of_aws() {
    let mut missing = Vec::new();
    for name in Scenario::names() {
        let (scenario, simulation) = simulation(&name);
        assert_eq!(scenario.name, name, "a scenario is named as its file");
        for symptom in &scenario.symptoms {
            let texts = symptom.field.shown(&scenario, &simulation.world);
            if !texts.iter().any(|text| text.contains(&symptom.contains)) {
                missing.push(format!(
                    "{name}: {:?} lacks `{}`: {texts:#?}",
                    symptom.field, symptom.contains
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_service_is_healthy_at_the_start_exactly_if_nothing_is_wrong_that_a_repair_could_mend() {
    let mut wrong = Vec::new();
    for name in Scenario::names() {
        let (scenario, simulation) = simulation(&name);
        let report = simulation.baseline.judge(&simulation.world);
        // What was rolled back is served by the former revision, and what somebody stopped is replaced.
        const SERVED: [&str; 3] = [
            "circuit-breaker-rolled-back",
            "deployment-alarm-rollback",
            "task-stopped-by-user",
        ];
        let expected = scenario.truth.causes.is_empty() || SERVED.contains(&name.as_str());
        if report.healthy != expected || !report.bystanders_untouched {
            wrong.push(format!("{name}: {report:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bystanders_of_every_scenario_are_healthy() {
    for name in Scenario::names() {
        let (scenario, simulation) = simulation(&name);
        let (_, target) = target(&scenario, &simulation.world);
        let others = simulation
            .world
            .accounts
            .values()
            .flat_map(|a| a.regions.values())
            .flat_map(|region| {
                region
                    .services
                    .values()
                    .filter(|service| service.arn != target.arn)
            });
        let mut count = 0;
        for service in others {
            count += 1;
            assert_eq!(
                service.running_count, service.desired_count,
                "{name}: {}",
                service.arn
            );
            assert!(service.steady, "{name}: {}", service.arn);
        }
        assert!(count > 0, "{name} has no bystander");
    }
}

#[test]
fn right_repairs_heal_and_touch_nothing_else_and_wrong_ones_do_not_heal() {
    let mut failed = Vec::new();
    for name in Scenario::names() {
        let (scenario, simulation) = simulation(&name);
        if scenario.truth.repairable != scenario.repairs.is_some() {
            failed.push(format!("{name}: say under `repairs` what heals it"));
        }
        for flaw in scenario.played(&simulation) {
            failed.push(format!("{name}: {}: {}", flaw.field, flaw.problem));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The control: repairs that are swapped are found, each of them.
#[test]
fn a_right_repair_called_wrong_is_noticed_and_the_other_way_round() {
    let (mut scenario, simulation) = simulation("demo");
    let repairs = scenario.repairs.as_mut().unwrap();
    std::mem::swap(&mut repairs.right, &mut repairs.wrong);
    let (right, wrong) = (repairs.right.len(), repairs.wrong.len());
    let flaws = scenario.played(&simulation);
    assert_eq!(flaws.len(), right + wrong, "{flaws:#?}");
    let harmful = "force-new-deployment: {service: prod/billing}";
    let repairs = scenario.repairs.as_mut().unwrap();
    std::mem::swap(&mut repairs.right, &mut repairs.wrong);
    repairs.right[0].push(serde_saphyr::from_str(harmful).unwrap());
    let [flaw] = scenario.played(&simulation).try_into().unwrap();
    assert!(flaw.problem.contains("service/prod/billing"), "{flaw:?}");
}

#[test]
fn touching_a_bystander_is_noticed() {
    let (scenario, simulation) = simulation("demo");
    let mut world = simulation.world.clone();
    let (account, region) = scenario.target_place();
    let change: Change =
        serde_saphyr::from_str("force-new-deployment: {service: prod/billing}").unwrap();
    change.apply(&mut world, &account, &region).unwrap();
    let report = simulation.baseline.judge(&world);
    assert!(!report.bystanders_untouched);
    assert!(
        report
            .touched
            .iter()
            .any(|arn| arn.ends_with("service/prod/billing")),
        "{report:?}"
    );
}

#[test]
fn another_seed_is_another_world() {
    let mut scenario = Scenario::named("demo").unwrap();
    let one = scenario.simulate().unwrap().world;
    scenario.seed += 1;
    assert_ne!(one, scenario.simulate().unwrap().world);
}

#[test]
fn how_time_is_cut_makes_no_difference() {
    let (_, simulation) = simulation("demo");
    let end = simulation.world.now + TimeDelta::minutes(10);
    let mut at_once = simulation.world.clone();
    at_once.advance(end);
    let mut in_steps = simulation.world.clone();
    while in_steps.now < end {
        let next = (in_steps.now + TimeDelta::milliseconds(700)).min(end);
        in_steps.advance(next);
    }
    assert!(at_once == in_steps);
}

#[test]
fn isolation_gives_every_account_its_own_service_with_the_same_names_and_fault() {
    let scenario = Scenario::isolation(4, &["us-east-1", "eu-west-1"]).unwrap();
    let world = scenario.simulate().unwrap().world;
    assert_eq!(world.accounts.len(), 4);
    for account in world.accounts.values() {
        assert_eq!(account.regions.len(), 2);
        for region in account.regions.values() {
            let service = region.service("prod", "api").unwrap();
            assert!(service.arn.contains(&account.id) && service.arn.contains(&region.name));
            assert!(!service.steady);
        }
    }
    let keys: std::collections::BTreeSet<_> = world
        .accounts
        .values()
        .flat_map(|account| account.users.values())
        .flat_map(|user| &user.access_keys)
        .map(|key| &key.access_key_id)
        .collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn mistakes_are_explained_by_file_line_and_field() {
    let good = "name: x\ntitle: t\nrequest: r\naccounts:\n- id: \"111122223333\"\n  regions:\n  - name: us-east-1\n    clusters:\n    - name: prod\n      services:\n      - {name: api, template: fargate-web}\ntruth: {target: {cluster: prod, service: api}, causes: [], repairable: false}\n";
    Scenario::parse("x.yaml", good).unwrap();
    for (from, to, expected) in [
        (
            "template: fargate-web",
            "template: fargate-wb",
            &["x.yaml", "line 11", "fargate-wb", "fargate-worker"][..],
        ),
        (
            "request: r",
            "requests: r",
            &["x.yaml", "requests", "request"],
        ),
        (
            "service: api}",
            "service: apo}",
            &["x: truth.target", "apo"],
        ),
        (
            "\"111122223333\"",
            "\"12\"",
            &["accounts[0].id", "twelve digits"],
        ),
        ("fargate-web", "ec2-web", &["prod", "instances"]),
        (
            "repairable: false",
            "repairable: maybe",
            &["x.yaml", "line 12"],
        ),
    ] {
        let error = Scenario::parse("x.yaml", &good.replace(from, to))
            .unwrap_err()
            .to_string();
        for part in expected {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    let error = Scenario::named("nope").unwrap_err().to_string();
    assert!(
        error.contains("`nope`") && error.contains("oom-kill-137"),
        "{error}"
    );
}

#[test]
fn the_schema_on_disk_is_the_present_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/schema.json");
    let present = format!(
        "{}\n",
        serde_json::to_string_pretty(&Scenario::schema()).unwrap()
    );
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    if on_disk != present {
        std::fs::write(path, &present).unwrap();
        panic!("scenarios/schema.json was out of date and has been written anew: commit it");
    }
}
