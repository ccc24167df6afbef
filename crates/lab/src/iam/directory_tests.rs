use serde_json::{Value, json};

use super::*;
use crate::world::{AccessKey, RolePolicy, User};

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/ecs-deep-agent";

fn directory() -> (Directory, Identity) {
    let assume = json!({"Statement": [{
        "Effect": "Allow", "Resource": ROLE,
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }]});
    let policy = |name: &str, document: &Value| RolePolicy {
        name: name.to_owned(),
        document: document.clone(),
    };
    let all = json!({"Statement": {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}});
    let mut account = Account::new(ACCOUNT, "lab-external");
    account.users.insert(
        "operator".to_owned(),
        User {
            name: "operator".to_owned(),
            arn: format!("arn:aws:iam::{ACCOUNT}:user/operator"),
            id: "AIDAEXAMPLE".to_owned(),
            access_keys: vec![AccessKey {
                access_key_id: "AKIAEXAMPLE".to_owned(),
                secret_access_key: "example".to_owned(),
            }],
            inline_policies: vec![policy("assume", &assume)],
        },
    );
    account.roles.insert(
        "ecs-deep-agent".to_owned(),
        crate::world::Role {
            name: "ecs-deep-agent".to_owned(),
            arn: ROLE.to_owned(),
            id: "AROAEXAMPLE".to_owned(),
            trust: json!({"Statement": {
                "Effect": "Allow", "Principal": {"AWS": "*"},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
                "Condition": {"StringEquals": {"sts:ExternalId": "lab-external"}},
            }}),
            inline_policies: vec![policy("assume", &assume), policy("all", &all)],
            attached_policies: Vec::new(),
            created_at: now(),
        },
    );
    let mut world = World::new(1, now());
    world.accounts.insert(ACCOUNT.to_owned(), account);
    let directory = Directory::of(&world);
    let caller = directory
        .present("AKIAEXAMPLE", None, now())
        .unwrap()
        .identity;
    (directory, caller)
}

fn now() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn request() -> AssumeRole<'static> {
    AssumeRole {
        role_arn: ROLE,
        session_name: "inv-1",
        external_id: Some("lab-external"),
        ..AssumeRole::default()
    }
}

fn code(error: &ApiError) -> String {
    error.render(crate::wire::Protocol::Query).0
}

#[test]
fn a_session_lives_until_it_expires() {
    let (mut directory, caller) = directory();
    let issued = directory
        .assume_role(
            &caller,
            "eu-west-1",
            &AssumeRole {
                source_identity: Some("ada"),
                ..request()
            },
            now(),
        )
        .unwrap();
    let present = |directory: &Directory, token: Option<&str>, seconds: i64| {
        directory.present(
            &issued.access_key_id,
            token,
            now() + TimeDelta::seconds(seconds),
        )
    };
    let token = issued.session_token.as_str();
    let identity = present(&directory, Some(token), 3599).unwrap().identity;
    assert_eq!(
        identity.arn,
        "arn:aws:sts::111122223333:assumed-role/ecs-deep-agent/inv-1"
    );
    assert_eq!(
        identity.session.unwrap().source_identity.as_deref(),
        Some("ada")
    );
    assert_eq!(
        present(&directory, Some(token), 3600).unwrap_err(),
        ApiError::ExpiredToken
    );
    assert_eq!(
        present(&directory, None, 0).unwrap_err(),
        ApiError::UnknownKey
    );
    assert_eq!(
        present(&directory, Some("x"), 0).unwrap_err(),
        ApiError::UnknownKey
    );
    assert_eq!(directory.expire(None, now()), 1);
    assert_eq!(
        present(&directory, Some(token), 1).unwrap_err(),
        ApiError::ExpiredToken
    );
}

#[test]
fn wrong_requests_are_refused_as_sts_does() {
    let (mut directory, caller) = directory();
    let long = format!(r#"{{"Statement":[],"Id":"{}"}}"#, "x".repeat(2048));
    for (request, expected) in [
        (
            AssumeRole {
                external_id: Some("guess"),
                ..request()
            },
            "AccessDenied",
        ),
        (
            AssumeRole {
                external_id: None,
                ..request()
            },
            "AccessDenied",
        ),
        (
            AssumeRole {
                role_arn: "arn:aws:iam::111122223333:role/x",
                ..request()
            },
            "AccessDenied",
        ),
        (
            AssumeRole {
                tags: vec![("a".into(), "b".into())],
                ..request()
            },
            "AccessDenied",
        ),
        (
            AssumeRole {
                policy: Some("{"),
                ..request()
            },
            "MalformedPolicyDocument",
        ),
        (
            AssumeRole {
                policy: Some(&long),
                ..request()
            },
            "ValidationError",
        ),
        (
            AssumeRole {
                session_name: "a b",
                ..request()
            },
            "ValidationError",
        ),
        (
            AssumeRole {
                duration_seconds: Some(60),
                ..request()
            },
            "ValidationError",
        ),
        (
            AssumeRole {
                duration_seconds: Some(7201),
                ..request()
            },
            "ValidationError",
        ),
    ] {
        let error = directory
            .assume_role(&caller, "eu-west-1", &request, now())
            .unwrap_err();
        assert_eq!(code(&error), expected, "{request:?}");
    }
}

#[test]
fn chained_sessions_are_short_and_keep_their_source_identity() {
    let (mut directory, caller) = directory();
    let first = AssumeRole {
        source_identity: Some("ada"),
        ..request()
    };
    let issued = directory
        .assume_role(&caller, "eu-west-1", &first, now())
        .unwrap();
    let session = directory
        .present(&issued.access_key_id, Some(&issued.session_token), now())
        .unwrap()
        .identity;
    let long = AssumeRole {
        duration_seconds: Some(7200),
        ..request()
    };
    assert_eq!(
        code(
            &directory
                .assume_role(&session, "eu-west-1", &long, now())
                .unwrap_err()
        ),
        "ValidationError",
    );
    let other = AssumeRole {
        source_identity: Some("bob"),
        ..request()
    };
    assert_eq!(
        code(
            &directory
                .assume_role(&session, "eu-west-1", &other, now())
                .unwrap_err()
        ),
        "AccessDenied",
    );
    let chained = directory
        .assume_role(&session, "eu-west-1", &request(), now())
        .unwrap();
    assert_eq!(chained.source_identity.as_deref(), Some("ada"));
}
