use super::*;
use crate::analyse::{Verdict, analyse};
use crate::testing::*;

/// A world out of memory, and the id of the evidence that says so.
fn broken() -> (Observation, Diagnosis) {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(
        -60,
        "TaskFailedToStart",
        "CannotPullContainerError: failed to resolve ref 1.5.0: not found",
    );
    let observation = world.observe();
    let diagnosis = analyse(&observation, &catalogue());
    assert_eq!(diagnosis.verdict, Verdict::RootCauseFound);
    (observation, diagnosis)
}

fn claim(mode: Option<&str>, quotes: &[(&str, &str)]) -> Claim {
    Claim {
        claim: "the image is missing".to_owned(),
        mode: mode.map(str::to_owned),
        quotes: quotes
            .iter()
            .map(|(evidence, quote)| Quote {
                evidence: (*evidence).to_owned(),
                quote: (*quote).to_owned(),
            })
            .collect(),
    }
}

fn standing(claim: Claim) -> ClaimStanding {
    let (observation, diagnosis) = broken();
    let checked = check_claims(vec![claim], &observation, &diagnosis, &catalogue());
    checked[0].standing.clone()
}

#[track_caller]
fn assert_struck(claim: Claim, reason: &str) {
    match standing(claim) {
        ClaimStanding::Struck { why } => {
            assert!(why.iter().any(|why| why.contains(reason)), "{why:?}");
        }
        other @ (ClaimStanding::Shared | ClaimStanding::Unshared) => {
            panic!("not struck: {other:?}")
        }
    }
}

const TRUE: (&str, &str) = (
    "E5",
    "CannotPullContainerError: failed to resolve ref 1.5.0",
);

#[test]
fn a_true_quote_of_a_mode_that_was_found_is_shared() {
    assert_eq!(
        standing(claim(Some("image-tag-not-found"), &[TRUE])),
        ClaimStanding::Shared
    );
}

#[test]
fn a_true_quote_that_proves_nothing_is_a_hypothesis_and_no_root_cause() {
    let (observation, diagnosis) = broken();
    for mode in [Some("elb-hc-path-mismatch"), None] {
        let claims = vec![claim(mode, &[TRUE])];
        let checked = check_claims(claims, &observation, &diagnosis, &catalogue());
        assert_eq!(checked[0].standing, ClaimStanding::Unshared);
        let differ = disagreement(&checked, &diagnosis);
        assert_eq!(differ.unnamed, ["image-tag-not-found"]);
        assert_eq!(differ.unshared, [&checked[0]]);
    }
}

#[test]
fn whoever_names_the_root_cause_agrees() {
    let (observation, diagnosis) = broken();
    let claims = vec![claim(Some("image-tag-not-found"), &[TRUE])];
    let checked = check_claims(claims, &observation, &diagnosis, &catalogue());
    assert!(disagreement(&checked, &diagnosis).is_none());
}

#[test]
fn what_does_not_rest_on_evidence_is_struck() {
    let mode = Some("image-tag-not-found");
    assert_struck(claim(mode, &[]), "quotes no evidence");
    assert_struck(
        claim(mode, &[("E999", "anything at all")]),
        "there is no evidence `E999`",
    );
    assert_struck(
        claim(mode, &[("E5", "OutOfMemoryError: killed")]),
        "does not say",
    );
    assert_struck(
        claim(mode, &[("the log", "anything at all")]),
        "not the name of evidence",
    );
    assert_struck(claim(mode, &[("E5", "re")]), "too short");
    assert_struck(
        claim(Some("ddos-attack"), &[TRUE]),
        "no failure mode `ddos-attack`",
    );
    // One false quote among true ones is enough.
    assert_struck(
        claim(mode, &[TRUE, ("E5", "exit code 137")]),
        "does not say",
    );
}

#[test]
fn short_quotes_count_when_they_are_whole_values() {
    let (observation, diagnosis) = broken();
    let claims = vec![claim(
        Some("image-tag-not-found"),
        &[("E14", "imageExists: false")],
    )];
    let checked = check_claims(claims, &observation, &diagnosis, &catalogue());
    assert_eq!(checked[0].standing, ClaimStanding::Shared, "{checked:?}");
}

#[test]
fn a_submission_is_bounded() {
    let (observation, diagnosis) = broken();
    let long = Claim {
        claim: "x".repeat(10_000),
        ..claim(None, &[TRUE])
    };
    let checked = check_claims(vec![long; 50], &observation, &diagnosis, &catalogue());
    assert_eq!(checked.len(), MOST_CLAIMS);
    assert_eq!(checked[0].claim.chars().count(), LONGEST_CLAIM);
}

#[test]
fn a_model_cannot_make_a_healthy_service_sick() {
    let observation = World::healthy().observe();
    let diagnosis = analyse(&observation, &catalogue());
    let name = observation.service.name.clone();
    let quote = format!("name: {name}");
    let claims = vec![claim(Some("oom-kill-137"), &[("E1", &quote)])];
    let checked = check_claims(claims, &observation, &diagnosis, &catalogue());
    assert!(checked[0].standing != ClaimStanding::Shared);
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
}
