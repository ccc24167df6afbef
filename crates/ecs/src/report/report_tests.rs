use super::*;
use crate::analyse::analyse;
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
    let diagnostic = diagnostic_report(&before, &diagnosis, &[]);
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
    });
    assert_eq!(report.verdict, "repaired: web is healthy");
    insta::assert_snapshot!("diagnostic_report", diagnostic);
    insta::assert_snapshot!("repair_plan", planned);
    insta::assert_snapshot!("execution_log", log);
    insta::assert_snapshot!("final_report", report.text);
}

#[test]
fn text_of_others_stays_text() {
    assert_eq!(
        markdown::safe("![x](http://a) <b>|\u{202e}"),
        "\\!\\[x\\](http://a) \\<b\\>\\|\u{fffd}"
    );
    assert_eq!(markdown::code("a`b\n```"), "`a'b '''`");
}
