//! What the program could ask AWS for at all: the operations of the AWS SDKs that are linked into it.
//!
//! The linker leaves out what nothing calls, so the symbols of an unstripped program are the list of
//! what some code path calls.

use std::collections::BTreeSet;

use ecs_agent_ecs::inspect::inspect_actions;
use ecs_agent_ecs::{observe_actions, operate_actions};

/// SDKs and the names that IAM has for their services.
const SDKS: [(&str, &str); 10] = [
    ("applicationautoscaling", "application-autoscaling"),
    ("cloudformation", "cloudformation"),
    ("cloudwatchlogs", "logs"),
    ("ecr", "ecr"),
    ("ecs", "ecs"),
    ("elasticloadbalancingv2", "elasticloadbalancing"),
    ("iam", "iam"),
    ("sso", "sso"),
    ("ssooidc", "sso-oauth"),
    ("sts", "sts"),
];

/// Calls that get credentials and change nothing of an account.
const FOR_CREDENTIALS: [&str; 6] = [
    "sso-oauth:CreateToken",
    "sso:GetRoleCredentials",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:GetCallerIdentity",
    "sts:GetFederationToken",
];

/// The operations whose modules have symbols: `…11aws_sdk_ecs9operation14update_service…`.
fn linked_operations(program: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = program;
    while let Some(at) = rest.iter().position(|byte| *byte == b'9') {
        let (passed, from_mark) = rest.split_at(at);
        if let Some(after) = from_mark.strip_prefix(b"9operation") {
            found.extend(operation(passed, after));
        }
        rest = from_mark.split_at(1).1;
    }
    found
}

/// The operation of one symbol, by what stands before and after the mark.
fn operation(before: &[u8], after: &[u8]) -> Option<String> {
    let (_, service) = SDKS
        .iter()
        .find(|(sdk, _)| before.ends_with(format!("aws_sdk_{sdk}").as_bytes()))?;
    let digits = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let length = std::str::from_utf8(after.get(..digits)?).ok()?;
    let length: usize = length.parse().ok()?;
    let name = std::str::from_utf8(after.get(digits..digits + length)?).ok()?;
    Some(format!("{service}:{}", capitalised(name)))
}

/// `update_service` as `UpdateService`.
fn capitalised(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{}{rest}", first.to_ascii_uppercase())
        })
        .collect()
}

#[test]
fn no_operation_is_linked_in_that_is_not_in_the_catalogue() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_ecs-deep-agent")).unwrap();
    let linked = linked_operations(&program);
    let known: BTreeSet<String> = observe_actions()
        .chain(inspect_actions())
        .chain(operate_actions())
        .chain(FOR_CREDENTIALS)
        .map(str::to_owned)
        .collect();
    let others: Vec<_> = linked.difference(&known).collect();
    assert!(others.is_empty(), "some code path calls {others:?}");
    // The list is read: what the program is for is on it.
    for action in [
        "ecs:UpdateService",
        "ecs:DescribeServices",
        "sts:AssumeRole",
    ] {
        assert!(linked.contains(action), "{action} is not in {linked:?}");
    }
}
