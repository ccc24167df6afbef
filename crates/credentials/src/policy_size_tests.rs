use proptest::prelude::*;

use super::*;
use crate::scope::SessionPolicy;

/// What a statement list allows, one line an action, resource and condition.
fn meaning(statements: &[Statement]) -> BTreeSet<(Conditions, Atom)> {
    statements
        .iter()
        .flat_map(|statement| {
            let conditions = normalised(&statement.conditions);
            statement.actions.iter().flat_map(move |action| {
                let conditions = conditions.clone();
                statement
                    .resources
                    .iter()
                    .map(move |resource| (conditions.clone(), (action.clone(), resource.clone())))
            })
        })
        .collect()
}

/// Whether a list of statements allows this, by what each line of it says.
fn allows(statements: &[Statement], conditions: &Conditions, atom: &Atom) -> bool {
    meaning(statements)
        .iter()
        .any(|(under, one)| (under == conditions || under.is_empty()) && covers(one, atom))
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let action = prop::sample::select(vec![
        "ecs:DescribeServices",
        "ecs:Describe*",
        "ecs:UpdateService",
        "ecs:StopTask",
        "ec2:DescribeSubnets",
        "iam:PassRole",
    ]);
    let resource = prop::sample::select(vec!["*", "arn:aws:a", "arn:aws:b", "arn:aws:c"]);
    let cluster = prop::sample::select(vec![None, Some("one"), Some("two")]);
    let statement = (
        prop::collection::vec(action, 1..5),
        prop::collection::vec(resource, 1..4),
        cluster,
        any::<bool>(),
    )
        .prop_map(|(actions, resources, cluster, named)| {
            let mut conditions = Conditions::new();
            if let Some(cluster) = cluster {
                conditions.insert(
                    "StringEquals".to_owned(),
                    [("ecs:cluster".to_owned(), vec![cluster.to_owned()])].into(),
                );
            }
            Statement {
                sid: named.then(|| "Named".to_owned()),
                actions: actions.into_iter().map(str::to_owned).collect(),
                resources: resources.into_iter().map(str::to_owned).collect(),
                conditions,
            }
        });
    prop::collection::vec(statement, 1..12)
}

proptest! {
    /// The same permissions, none more and none less, in no more characters.
    #[test]
    fn compressing_changes_no_permission(given in statements()) {
        let written = compressed(&given);
        for (conditions, atom) in meaning(&given) {
            prop_assert!(allows(&written, &conditions, &atom), "lost {atom:?}");
        }
        for (conditions, atom) in meaning(&written) {
            prop_assert!(allows(&given, &conditions, &atom), "widened by {atom:?}");
        }
        let length = |statements: &[Statement]| {
            statements.iter().map(|one| one.to_json().to_string().len()).sum::<usize>()
        };
        prop_assert!(length(&written) <= length(&given));
    }
}

#[test]
fn equal_resources_are_said_once() {
    let service = "arn:aws:ecs:eu-west-1:123456789012:service/shop/api".to_owned();
    let one = |action: &str| Statement {
        sid: Some("A".to_owned()),
        actions: vec![action.to_owned()],
        resources: vec![service.clone()],
        ..Statement::default()
    };
    let written = compressed(&[one("ecs:UpdateService"), one("ecs:DescribeServices")]);
    assert_eq!(
        written,
        [Statement {
            sid: None,
            actions: vec![
                "ecs:DescribeServices".to_owned(),
                "ecs:UpdateService".to_owned()
            ],
            resources: vec![service],
            ..Statement::default()
        }]
    );
}

/// A policy that is too long as it is written is compressed before it is refused.
#[test]
fn a_policy_is_compressed_before_it_is_refused() {
    let service = format!(
        "arn:aws:ecs:eu-west-1:123456789012:service/shop/{}",
        "a".repeat(150)
    );
    let statements: Vec<Statement> = (0..12)
        .map(|number| Statement {
            sid: Some(format!("Statement{number}")),
            actions: vec![format!("ecs:Action{number}")],
            resources: vec![service.clone()],
            ..Statement::default()
        })
        .collect();
    let policy = SessionPolicy::new(statements).unwrap();
    assert!(policy.to_json().len() < 600, "{}", policy.to_json());
    assert!(!policy.to_json().contains("Sid"));
    assert_eq!(policy.to_json().matches(&service).count(), 1);
}

/// The packed size of the documented example, where AWS says 8 % with its tags.
#[test]
fn the_estimate_is_above_what_aws_documents() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Stmt1","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let packed = packed_bytes(policy);
    // 8 % of the limit that is kept here is less than what the estimate says of the policy alone.
    assert!(packed * 100 / MOST_PACKED_BYTES >= 8, "{packed}");
    // What is said twice costs next to nothing.
    let twice = format!("{policy}{policy}");
    assert!(packed_bytes(&twice) < packed * 2);
}
