use super::*;
use crate::signing::service::Service;

fn gate() -> Gate {
    Gate {
        allowed: AllowedOperations::reads(["ecs:Describe*", "ec2:DescribeSubnets", "iam:GetRole"])
            .unwrap(),
        account: "123456789012".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
    }
}

fn check(service: &str, operation: &str, region: &str, body: &str) -> Result<(), Refusal> {
    let service = Service::signed_as(service).unwrap();
    let asked = Asked {
        service,
        operation: operation.to_owned(),
        dialect: match service.speaks_query {
            true => Dialect::Query,
            false => Dialect::Json,
        },
    };
    let scope = SignedScope {
        region: region.to_owned(),
        service: service.signing_name.to_owned(),
    };
    gate().check(&scope, &asked, "", body.as_bytes())
}

#[test]
fn reads_of_the_own_account_and_region_pass() {
    for (service, operation, region, body) in [
        (
            "ecs",
            "DescribeServices",
            "eu-west-1",
            r#"{"cluster":"shop","services":["api"]}"#,
        ),
        (
            "ecs",
            "DescribeServices",
            "eu-west-1",
            r#"{"cluster":"arn:aws:ecs:eu-west-1:123456789012:cluster/shop","n":1.5,"x":[null,true]}"#,
        ),
        ("ecs", "DescribeServices", "eu-west-1", ""),
        (
            "ec2",
            "DescribeSubnets",
            "eu-west-1",
            "Action=DescribeSubnets&SubnetId.1=subnet-1",
        ),
        ("iam", "GetRole", "us-east-1", "Action=GetRole&RoleName=x"),
        (
            "iam",
            "GetRole",
            "eu-west-1",
            "Arn=arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
    ] {
        assert_eq!(
            check(service, operation, region, body),
            Ok(()),
            "{operation} {body}"
        );
    }
}

#[test]
fn other_operations_regions_and_accounts_do_not() {
    let not_allowed = check("ecs", "UpdateService", "eu-west-1", "{}");
    assert!(matches!(not_allowed, Err(Refusal::NotAllowed { .. })));
    let not_allowed = check("ecs", "ListTasks", "eu-west-1", "{}");
    assert!(matches!(not_allowed, Err(Refusal::NotAllowed { .. })));
    let region = check("ecs", "DescribeServices", "us-east-1", "{}");
    assert!(matches!(region, Err(Refusal::OtherRegion { .. })));
    for body in [
        r#"{"cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/shop"}"#,
        r#"{"cluster":" arn:aws:ecs:us-east-1:123456789012:cluster/shop"}"#,
    ] {
        let refused = check("ecs", "DescribeServices", "eu-west-1", body);
        assert!(
            matches!(refused, Err(Refusal::OtherRegion { .. })),
            "{body}"
        );
    }
    for body in [
        r#"{"services":[["arn:aws:ecs:eu-west-1:210987654321:service/shop/api"]]}"#,
        r#"{"a":{"registryId":"210987654321"}}"#,
        r#"{"registryId":210987654321}"#,
        r#"{"registryId":["210987654321"]}"#,
        r#"{"\u0072egistryId":"210987654321"}"#,
        r#"{"cluster":"\u0061rn:aws:ecs:eu-west-1:210987654321:cluster/shop"}"#,
        // Which of two equal fields a service reads is unknown.
        r#"{"registryId":"210987654321","registryId":"123456789012"}"#,
        r#"{"arn:aws:ecs:eu-west-1:210987654321:cluster/shop":1}"#,
    ] {
        let refused = check("ecs", "DescribeServices", "eu-west-1", body);
        assert!(
            matches!(refused, Err(Refusal::OtherAccount { .. })),
            "{body} {refused:?}"
        );
    }
    let form = "Action=DescribeSubnets&Filter.1.Value=arn%3Aaws%3Aec2%3A%3A210987654321%3Asubnet/x";
    let refused = check("ec2", "DescribeSubnets", "eu-west-1", form);
    assert!(matches!(refused, Err(Refusal::OtherAccount { .. })));
    let refused = check("ecs", "DescribeServices", "eu-west-1", "{not json");
    assert!(matches!(refused, Err(Refusal::Malformed(_))));
    let deep = "[".repeat(100_000);
    let refused = check("ecs", "DescribeServices", "eu-west-1", &deep);
    assert!(matches!(refused, Err(Refusal::Malformed(_))));
}
