use serde_json::{Value, json};

use super::*;

const CALLER: &str = "arn:aws:sts::111122223333:assumed-role/ecs-deep-agent/s";
const SERVICE: &str = "arn:aws:ecs:eu-west-1:111122223333:service/shop/api";

fn document(statements: Value) -> PolicyDocument {
    PolicyDocument::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn decide(identity: Value, session: Option<Value>, context: &[(&str, &str)]) -> Verdict {
    let context = context
        .iter()
        .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
        .collect();
    let access = Access {
        action: "ecs:UpdateService",
        resource: SERVICE,
        context: &context,
    };
    authorize(
        &access,
        &[document(identity)],
        session.map(document).as_ref(),
    )
}

fn allow(action: &str, resource: &str) -> Value {
    json!([{"Effect": "Allow", "Action": action, "Resource": resource}])
}

#[test]
fn both_policies_must_allow() {
    let identity = "identity-based policy";
    let all = || allow("*", "*");
    assert_eq!(decide(all(), None, &[]), Verdict::Allowed);
    assert_eq!(
        decide(allow("ecs:List*", "*"), None, &[]),
        Verdict::NoAllow(identity)
    );
    assert_eq!(
        decide(all(), Some(allow("ecs:Describe*", "*")), &[]),
        Verdict::NoAllow("session policy"),
    );
    assert_eq!(
        decide(all(), Some(allow("ecs:updateservice", SERVICE)), &[]),
        Verdict::Allowed
    );
    assert_eq!(
        decide(allow("logs:*", "*"), Some(all()), &[]),
        Verdict::NoAllow(identity),
        "a session policy adds nothing",
    );
    let deny = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotAction": "ecs:Describe*", "Resource": "*"},
    ]);
    assert_eq!(
        decide(deny.clone(), None, &[]),
        Verdict::ExplicitDeny(identity)
    );
    assert_eq!(
        decide(all(), Some(deny), &[]),
        Verdict::ExplicitDeny("session policy")
    );
}

#[test]
fn conditions_narrow() {
    let on_cluster = |operator: &str| {
        json!([{
            "Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"ecs:cluster": "arn:*:cluster/shop"}},
        }])
    };
    let shop = [(
        "ecs:cluster",
        "arn:aws:ecs:eu-west-1:111122223333:cluster/shop",
    )];
    let other = [(
        "ecs:cluster",
        "arn:aws:ecs:eu-west-1:111122223333:cluster/other",
    )];
    for (operator, context, allowed) in [
        ("ArnLike", &shop[..], true),
        ("ArnLike", &other[..], false),
        ("ArnLike", &[], false),
        ("ArnLikeIfExists", &[], true),
        ("StringEquals", &shop[..], false),
        ("StringNotLike", &other[..], true),
        ("NumericLessThan", &shop[..], false),
    ] {
        let verdict = decide(on_cluster(operator), None, context);
        assert_eq!(
            verdict == Verdict::Allowed,
            allowed,
            "{operator} {context:?}"
        );
    }
}

#[test]
fn refusals_read_as_aws_writes_them() {
    let context = BTreeMap::new();
    let access = Access {
        action: "ecs:UpdateService",
        resource: SERVICE,
        context: &context,
    };
    assert_eq!(
        Verdict::NoAllow("session policy")
            .refusal(CALLER, &access)
            .unwrap(),
        format!(
            "User: {CALLER} is not authorized to perform: ecs:UpdateService on resource: {SERVICE} \
             because no session policy allows the ecs:UpdateService action"
        ),
    );
    assert_eq!(
        Verdict::ExplicitDeny("identity-based policy")
            .refusal(CALLER, &access)
            .unwrap(),
        format!(
            "User: {CALLER} is not authorized to perform: ecs:UpdateService on resource: {SERVICE} \
             with an explicit deny in an identity-based policy"
        ),
    );
}
