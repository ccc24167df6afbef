use super::*;
use crate::analyse::{Claim, Quote, analyse, check_claims};
use crate::plan::{Approval, Produced, RequestRecord, StepOutcome, StepStatus, propose};
use crate::testing::*;
use crate::verify::{Baseline, judge};

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
fn the_documents_of_a_repair() {
    let before = broken().observe();
    let diagnosis = analyse(&before, &catalogue());
    let diagnostic = diagnostic_report(&DiagnosticReport {
        observation: &before,
        diagnosis: &diagnosis,
        claims: &[],
        made_by: &MadeBy::default(),
    });
    let plan = propose(&before, &diagnosis)
        .unwrap()
        .bind("thread-1", at(900));
    let planned = repair_plan(&plan);
    let approval = Approval {
        plan_hash: plan.hash(),
        decided_by: "ada".to_owned(),
        decided_at: at(10),
        expires_at: at(900),
    };
    let plan = plan.approve(approval).unwrap();
    let done = [StepOutcome {
        step: 1,
        status: StepStatus::Applied,
        produced: Produced::default(),
        requests: vec![RequestRecord {
            call: "ecs:UpdateService".to_owned(),
            request_id: Some("request-w1".to_owned()),
            at: at(20),
        }],
        started_at: at(20),
        finished_at: at(21),
    }];
    let after = World::healthy().observe();
    let verification = judge(&Baseline::of(&before), &after);
    let log = execution_log(&plan, &done, &[]);
    let report = final_report(&FinalReport {
        observation: &before,
        diagnosis: &diagnosis,
        plan: &plan,
        carried_out: &done,
        rolled_back: &[],
        verification: Some(&verification),
        last_observation: Some(&after),
        claims: &[],
        made_by: &MadeBy::default(),
    });
    assert_eq!(report.verdict, "repaired: web is healthy");
    insta::assert_snapshot!("diagnostic_report", diagnostic);
    insta::assert_snapshot!("repair_plan", planned);
    insta::assert_snapshot!("execution_log", log);
    insta::assert_snapshot!("final_report", report.text);
}

#[test]
fn what_a_model_claims_is_shown_beside_the_verdict_and_never_as_it() {
    let observation = broken().observe();
    let diagnosis = analyse(&observation, &catalogue());
    let claim = |claim: &str, mode: &str, quote: &str| Claim {
        claim: claim.to_owned(),
        mode: Some(mode.to_owned()),
        quotes: vec![Quote {
            evidence: "E5".to_owned(),
            quote: quote.to_owned(),
        }],
    };
    let claims = vec![
        claim(
            "The health check asks ~~for~~ the wrong | path",
            "elb-hc-path-mismatch",
            "CannotPullContainerError",
        ),
        claim(
            "The tasks run out of memory",
            "oom-kill-137",
            "OutOfMemoryError: killed",
        ),
    ];
    let claims = check_claims(claims, &observation, &diagnosis, &catalogue());
    let made_by = MadeBy {
        model: "scripted".to_owned(),
        prompts: vec![PromptVersion {
            agent: "main".to_owned(),
            version: 2,
            hash: "0123456789ab".to_owned(),
            replaced: true,
        }],
        takeovers: vec!["repair-planner: it proposed no plan".to_owned()],
    };
    let report = diagnostic_report(&DiagnosticReport {
        observation: &observation,
        diagnosis: &diagnosis,
        claims: &claims,
        made_by: &made_by,
    });
    assert!(report.starts_with(
        "# Diagnosis of web\n\n**Root cause found.** Container `web` of shop-web:2 names a tag"
    ));
    insta::assert_snapshot!("diagnostic_report_with_claims", report);
}

#[test]
fn text_of_others_stays_text() {
    assert_eq!(
        markdown::safe("![x](http://a) <b>|\u{202e}"),
        "\\!\\[x\\](http://a) \\<b\\>\\|\u{fffd}"
    );
    assert_eq!(markdown::code("a`b\n```"), "`a'b '''`");
}
