use proptest::prelude::*;

use super::*;

fn statement(actions: &[&str], resources: &[&str]) -> Statement {
    let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Statement {
        actions: own(actions),
        resources: own(resources),
        ..Statement::default()
    }
}

#[test]
fn a_policy_is_written_compactly() {
    let service = "arn:aws:ecs:eu-west-1:123456789012:service/shop/api";
    let mut update = statement(&["ecs:UpdateService"], &[service]);
    update.sid = Some("Update".to_owned());
    let equals = [("ecs:cluster".to_owned(), vec!["shop".to_owned()])];
    update
        .conditions
        .insert("StringEquals".to_owned(), equals.into());
    let read = statement(&["ecs:Describe*", "ecs:List*"], &["*"]);
    let policy = SessionPolicy::new(vec![update, read]).unwrap();
    assert_eq!(
        policy.to_json(),
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"Update","Effect":"Allow","Action":"ecs:UpdateService","Resource":"arn:aws:ecs:eu-west-1:123456789012:service/shop/api","Condition":{"StringEquals":{"ecs:cluster":"shop"}}},{"Effect":"Allow","Action":["ecs:Describe*","ecs:List*"],"Resource":"*"}]}"#
    );
}

#[test]
fn what_iam_would_not_take_is_named() {
    let check = |statement: Statement, expected: &str| {
        let error = SessionPolicy::new(vec![statement]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(statement(&[], &["*"]), "`actions`");
    check(statement(&["*"], &["*"]), "`actions`");
    check(statement(&["ecs:*Service"], &["*"]), "`actions`");
    check(statement(&["ecs:*"], &["*"]), "`actions`");
    check(statement(&["ecs:ListTasks"], &[]), "`resources`");
    check(statement(&["ecs:ListTasks"], &["shop"]), "`resources`");
    let mut unnamed = statement(&["ecs:ListTasks"], &["*"]);
    unnamed.sid = Some("not a sid".to_owned());
    check(unnamed, "`sid`");
    assert_eq!(SessionPolicy::new(Vec::new()), Err(PolicyError::Empty));
}

#[test]
fn the_limit_of_sts_is_exact() {
    let base = SessionPolicy::new(vec![statement(&["ecs:ListTasks"], &["arn:a"])]).unwrap();
    let padded = |more: usize| {
        // Colons: what is repeated takes no room in the packed form.
        let resource = format!("arn:a{}", ":".repeat(more));
        SessionPolicy::new(vec![statement(&["ecs:ListTasks"], &[&resource])])
    };
    let room = LONGEST_POLICY_CHARS - base.to_json().len();
    assert_eq!(padded(room).unwrap().to_json().len(), 2048);
    assert_eq!(padded(room + 1), Err(PolicyError::TooLong { chars: 2049 }));
}

#[test]
fn a_session_lives_as_long_as_the_work_and_no_longer_than_its_phase() {
    let policy = || SessionPolicy::new(vec![statement(&["ecs:ListTasks"], &["*"])]).unwrap();
    let observe = || ScopeRequest::observe(policy());
    let operate = || ScopeRequest::operate(OperateGrant::new("plan-1", policy()));
    assert_eq!(observe().session_seconds(), 3600);
    assert_eq!(operate().session_seconds(), 900);
    for (wanted, observing) in [
        (0, 900),
        (1, 900),
        (900, 900),
        (901, 1800),
        (1800, 1800),
        (2701, 3600),
        (86_400, 3600),
        (u64::MAX, 3600),
    ] {
        let wanted = Duration::from_secs(wanted);
        assert_eq!(observe().lasting(wanted).session_seconds(), observing);
        assert_eq!(operate().lasting(wanted).session_seconds(), 900);
    }
}

proptest! {
    #[test]
    fn every_policy_is_json_within_the_limit(
        actions in prop::collection::vec("[a-z]{2,4}:[A-Z][A-Za-z]{1,12}\\*?", 1..20),
        resources in prop::collection::vec("(\\*|arn:aws:[ -~]{1,60})", 1..20),
    ) {
        let statement = Statement { actions, resources, ..Statement::default() };
        match SessionPolicy::new(vec![statement]) {
            Ok(policy) => {
                prop_assert!(policy.to_json().len() <= 2048);
                let read: serde_json::Value = serde_json::from_str(policy.to_json()).unwrap();
                prop_assert_eq!(&read["Statement"][0]["Effect"], "Allow");
            }
            Err(error) => {
                prop_assert!(error.is_too_long(), "{}", error);
            }
        }
    }
}
