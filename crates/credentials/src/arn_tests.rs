use proptest::prelude::*;

use super::*;

#[test]
fn the_parts_of_an_arn() {
    let arn: Arn = "arn:aws:ecs:eu-west-1:123456789012:service/shop/api"
        .parse()
        .unwrap();
    assert_eq!(arn.partition(), "aws");
    assert_eq!(arn.service(), "ecs");
    assert_eq!(arn.region().unwrap().as_str(), "eu-west-1");
    assert_eq!(arn.account().unwrap().as_str(), "123456789012");
    assert_eq!(arn.resource(), "service/shop/api");
}

#[test]
fn arns_of_every_shape_are_read_and_others_are_not() {
    for (text, expected) in [
        ("arn:aws:iam::123456789012:role/a", true),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", true),
        ("arn:aws-cn:ecs:cn-north-1:123456789012:cluster/a", true),
        ("arn:aws:s3:::bucket", true),
        (
            "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/api:*",
            true,
        ),
        ("arn:aws:ecs:eu-west-1:123456789012", false),
        ("arn:azure:ecs:eu-west-1:123456789012:cluster/a", false),
        ("arn:aws:ecs:nowhere:123456789012:cluster/a", false),
        ("arn:aws:ecs:eu-west-1:1:cluster/a", false),
        ("arn:aws:ecs:eu-west-1:123456789012:", false),
        ("arn:aws:ecs:eu-west-1:123456789012:a b", false),
        ("service/shop/api", false),
    ] {
        assert_eq!(text.parse::<Arn>().is_ok(), expected, "{text}");
    }
}

#[test]
fn only_roles_can_be_assumed() {
    for (text, expected) in [
        ("arn:aws:iam::123456789012:role/ecs-deep-agent", true),
        ("arn:aws:iam::123456789012:role/team/ecs-deep-agent", true),
        ("arn:aws:iam::123456789012:role/", false),
        ("arn:aws:iam::123456789012:user/ada", false),
        ("arn:aws:iam::aws:role/a", false),
        ("arn:aws:sts::123456789012:role/a", false),
    ] {
        assert_eq!(text.parse::<RoleArn>().is_ok(), expected, "{text}");
    }
    let role: RoleArn = "arn:aws:iam::123456789012:role/team/agent".parse().unwrap();
    assert_eq!(role.role_name(), "agent");
    assert_eq!(role.account().unwrap().as_str(), "123456789012");
    assert_eq!(Arn::from(role.clone()).to_string(), role.to_string());
}

proptest! {
    #[test]
    fn parsing_never_panics_and_printing_undoes_it(text in "(arn:aws:)?[a-z:/0-9 -]{0,60}") {
        if let Ok(arn) = text.parse::<Arn>() {
            prop_assert_eq!(arn.to_string(), text.clone());
            let _ = (arn.region(), arn.account(), arn.resource(), arn.partition());
        }
        if let Ok(role) = text.parse::<RoleArn>() {
            prop_assert!(role.account().is_some());
        }
    }
}

#[test]
fn principals_are_told_apart_from_their_sessions() {
    let arn = |text: &str| text.parse::<Arn>().unwrap();
    let role = |session: &str| {
        arn(&format!(
            "arn:aws:sts::123456789012:assumed-role/ecs-deep-agent/{session}"
        ))
    };
    assert!(role("a").is_same_principal(&role("b")));
    for other in [
        "arn:aws:sts::123456789012:assumed-role/admin/a",
        "arn:aws:sts::210987654321:assumed-role/ecs-deep-agent/a",
        "arn:aws:iam::123456789012:user/ecs-deep-agent",
    ] {
        assert!(!role("a").is_same_principal(&arn(other)), "{other}");
    }
    assert!(arn("arn:aws:iam::123456789012:root").is_root_user());
    assert!(!arn("arn:aws:iam::123456789012:user/root").is_root_user());
    assert!(arn("arn:aws:sts::123456789012:federated-user/inv").is_federated_user());
}
