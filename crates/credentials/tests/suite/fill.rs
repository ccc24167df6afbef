//! Filling a context from each source, and each way in which that fails.

use ecs_agent_credentials::{
    ContextState, CredentialContext, CredentialReference, Endpoints, ErrorClass, InvocationId,
    Scope, SessionIdentity, SourceError, Sources,
};
use serde_json::json;
use uuid::Uuid;

use super::fake_aws::{FakeAws, Mishap, random_text};
use super::world::{
    ACCOUNT, OTHER_ACCOUNT, by_label, by_role, context, given, keys, observe, operate, whoami,
};

#[tokio::test]
async fn keys_without_a_role_work_and_say_that_they_are_not_narrowed() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let context = context(&aws.url());
    let filled = given(&user)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    let invocation = context.invocation();
    assert_eq!(
        serde_json::to_value(&filled).unwrap(),
        json!({
            "invocation": invocation,
            "state": "filled",
            "account": ACCOUNT,
            "principal_arn": format!("arn:aws:iam::{ACCOUNT}:user/engineer"),
            "region": "eu-west-1",
            "expires_at": null,
            "scope": { "phase": "observe" },
            "narrowed": false,
            "reference": { "kind": "static", "label": "given" },
            "access_key_id_last4": &user.key_id[16..],
        })
    );
    assert_eq!(whoami(&context).await.as_deref(), Ok(ACCOUNT));
    assert!(
        aws.seen()
            .iter()
            .all(|seen| seen.signature_ok && seen.key_id == user.key_id)
    );
}

#[tokio::test]
async fn a_role_is_narrowed_named_and_checked() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let role = aws.role(ACCOUNT, "shop-1");
    let context = context(&aws.url());
    let session = SessionIdentity::new("inv-1", Some("ada@example.com")).unwrap();
    let session = session.with_tag("tenant", "shop").unwrap();
    let sources = given(&user).session(session).build();
    let filled = sources
        .fill(&context, &by_role(&role, "shop-1"), observe())
        .await
        .unwrap();
    assert!(filled.narrowed);
    assert_eq!(
        filled.principal_arn.unwrap().as_str(),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/ecs-deep-agent/inv-1")
    );
    assert!(filled.expires_at.is_some());

    let seen = aws.seen();
    let assumed = &seen[0].params;
    assert_eq!(assumed["RoleArn"], role);
    assert_eq!(assumed["ExternalId"], "shop-1");
    assert_eq!(assumed["RoleSessionName"], "inv-1");
    assert_eq!(assumed["SourceIdentity"], "ada@example.com");
    assert_eq!(assumed["Tags.member.1.Key"], "tenant");
    assert_eq!(assumed["DurationSeconds"], "3600");
    assert!(
        assumed["Policy"].contains("ecs:Describe*"),
        "{}",
        assumed["Policy"]
    );
    assert_eq!(aws.actions(), ["AssumeRole", "GetCallerIdentity"]);
    assert_eq!(seen[0].key_id, user.key_id);
    assert_ne!(
        seen[1].key_id, user.key_id,
        "the session is checked, not the user"
    );
}

#[tokio::test]
async fn filling_again_changes_the_scope() {
    let aws = FakeAws::start();
    let role = aws.role(ACCOUNT, "shop-1");
    let sources = given(&aws.user(ACCOUNT)).build();
    let context = context(&aws.url());
    let reference = by_role(&role, "shop-1");
    let observing = sources.fill(&context, &reference, observe()).await.unwrap();
    let operating = sources
        .fill(&context, &reference, operate("plan-1"))
        .await
        .unwrap();
    assert_eq!(observing.scope, Some(Scope::Observe));
    let scope = serde_json::to_value(&operating.scope).unwrap();
    assert_eq!(scope, json!({ "phase": "operate", "plan_hash": "plan-1" }));
    assert_ne!(observing.access_key_id_last4, operating.access_key_id_last4);
    let assumed = &aws.seen()[2].params;
    assert_eq!(assumed["DurationSeconds"], "900");
    assert!(assumed["Policy"].contains("ecs:UpdateService"));
    whoami(&context).await.unwrap();
    let last = aws.seen().pop().unwrap();
    assert!(
        last.key_id
            .ends_with(&operating.access_key_id_last4.unwrap())
    );
}

#[tokio::test]
async fn a_role_may_lead_to_a_role() {
    let aws = FakeAws::start();
    let hub = aws.role(ACCOUNT, "hub");
    let spoke = aws.role(OTHER_ACCOUNT, "spoke");
    let reference = CredentialReference::AssumeRole {
        role_arn: spoke.parse().unwrap(),
        external_id: Some("spoke".to_owned()),
        base: Box::new(by_role(&hub, "hub")),
    };
    let sources = given(&aws.user(ACCOUNT)).build();
    let context = context(&aws.url());
    let filled = sources.fill(&context, &reference, observe()).await.unwrap();
    assert_eq!(filled.account.unwrap().as_str(), OTHER_ACCOUNT);
    let seen = aws.seen();
    assert!(
        !seen[0].params.contains_key("Policy"),
        "a link of the chain is not narrowed"
    );
    assert!(seen[1].params.contains_key("Policy"));
    assert_eq!(aws.holder(&seen[1].key_id).unwrap().account, ACCOUNT);
}

/// Fills against an `aws` that goes wrong, and returns the error.
async fn failure(aws: &FakeAws, mishaps: Vec<Mishap>) -> SourceError {
    let role = aws.role(ACCOUNT, "shop-1");
    let sources = given(&aws.user(ACCOUNT)).build();
    let context = context(&aws.url());
    aws.next_answers(mishaps);
    let filled = sources
        .fill(&context, &by_role(&role, "shop-1"), observe())
        .await;
    assert_eq!(context.describe().state, ContextState::Empty);
    filled.unwrap_err()
}

#[tokio::test]
async fn every_refusal_of_sts_has_a_name_and_a_next_step() {
    for (status, code, expected, class) in [
        (403, "AccessDenied", "access_denied", ErrorClass::Denied),
        (
            403,
            "ExpiredToken",
            "credentials_expired",
            ErrorClass::Denied,
        ),
        (
            403,
            "InvalidClientTokenId",
            "key_refused",
            ErrorClass::Denied,
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "key_refused",
            ErrorClass::Denied,
        ),
        (400, "RequestExpired", "clock_skewed", ErrorClass::Invalid),
        (
            403,
            "RegionDisabledException",
            "region_disabled",
            ErrorClass::Invalid,
        ),
        (
            400,
            "PackedPolicyTooLarge",
            "policy_too_large",
            ErrorClass::Internal,
        ),
        (
            400,
            "MalformedPolicyDocument",
            "policy_refused",
            ErrorClass::Internal,
        ),
        (400, "SomethingNew", "service_error", ErrorClass::Internal),
    ] {
        let aws = FakeAws::start();
        let error = failure(&aws, vec![Mishap::Error(status, code)]).await;
        assert_eq!((error.code(), error.class()), (expected, class), "{code}");
        let text = format!("{error} {error:?} {error:#?}");
        assert!(!text.contains(&aws.marker()), "the body is quoted: {text}");
    }
}

#[tokio::test]
async fn access_denied_names_the_action_and_the_role() {
    let aws = FakeAws::start();
    let role = aws.role(ACCOUNT, "shop-1");
    let sources = given(&aws.user(ACCOUNT)).build();
    let context = context(&aws.url());
    let filled = sources
        .fill(&context, &by_role(&role, "another-id"), observe())
        .await;
    let text = filled.unwrap_err().to_string();
    assert!(text.contains("`sts:AssumeRole`"), "{text}");
    assert!(text.contains(&role), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_not_of_sts_is_told_apart_from_none() {
    let aws = FakeAws::start();
    let error = failure(&aws, vec![Mishap::Html]).await;
    assert_eq!(error.code(), "answer_malformed", "{error}");

    let url = aws.url();
    drop(aws);
    let user = FakeAws::start().user(ACCOUNT);
    let context = context(&url);
    let error = given(&user)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        ("endpoint_unreachable", ErrorClass::Retry)
    );
    assert!(error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn a_role_in_another_account_than_expected_clears_the_context() {
    let aws = FakeAws::start();
    let sources = given(&aws.user(ACCOUNT));
    let sources = sources
        .expect_account(OTHER_ACCOUNT.parse().unwrap())
        .build();
    let context = context(&aws.url());
    let error = sources
        .fill(&context, &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "account_mismatch");
    assert!(context.is_cleared());
    let again = sources
        .fill(&context, &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(again.code(), "credentials_cleared");
}

#[tokio::test]
async fn what_was_not_given_or_asked_for_is_not_used() {
    let aws = FakeAws::start();
    let sources = given(&aws.user(ACCOUNT)).build();
    let context = context(&aws.url());
    let unknown = CredentialReference::Static {
        label: "somebody else's".to_owned(),
    };
    let profile = CredentialReference::Profile {
        name: "default".to_owned(),
    };
    for (reference, expected) in [
        (unknown, "credentials_needed"),
        (profile, "source_not_allowed"),
        (CredentialReference::DefaultChain, "source_not_allowed"),
    ] {
        let error = sources
            .fill(&context, &reference, observe())
            .await
            .unwrap_err();
        assert_eq!(error.code(), expected);
    }
    assert_eq!(aws.actions(), [""; 0]);
}

#[tokio::test]
async fn a_missing_region_is_said_and_none_is_assumed() {
    let aws = FakeAws::start();
    let url = aws.url().parse().unwrap();
    let invocation = InvocationId::new(Uuid::now_v7());
    let context = CredentialContext::new(invocation, None, Endpoints::Override(url));
    let sources = given(&aws.user(ACCOUNT)).build();
    let error = sources
        .fill(&context, &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "region_missing");
    for place in ["--region", "profile", "configuration file", "ARN"] {
        assert!(error.to_string().contains(place), "{error}");
    }
    context.adopt_region("eu-north-1".parse().unwrap()).unwrap();
    assert!(context.adopt_region("us-east-1".parse().unwrap()).is_err());
    sources
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    assert_eq!(aws.seen()[0].region, "eu-north-1");
}

#[tokio::test]
async fn nothing_is_signed_after_clear() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    let sources = given(&aws.user(ACCOUNT)).build();
    sources
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    let config = context.sdk_config().unwrap();
    let client = aws_sdk_sts::Client::new(&config);
    client.get_caller_identity().send().await.unwrap();
    let before = aws.seen().len();

    context.clear();
    let error = client.get_caller_identity().send().await.unwrap_err();
    let text = format!("{:#}", aws_sdk_sts::error::DisplayErrorContext(error));
    assert!(text.contains("cleared"), "{text}");
    assert!(context.sdk_config().is_err());
    assert!(
        context
            .post_signed_form("ec2", &[("Action", "DescribeSubnets")])
            .await
            .is_err()
    );
    assert!(
        sources
            .fill(&context, &by_label(), observe())
            .await
            .is_err()
    );
    assert_eq!(aws.seen().len(), before);
    assert_eq!(context.describe().state, ContextState::Cleared);
    assert_eq!(context.describe().access_key_id_last4, None);
}

#[tokio::test]
async fn clearing_while_credentials_are_on_their_way_wins() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    let sources = given(&aws.user(ACCOUNT)).build();
    let reference = by_label();
    let fill = sources.fill(&context, &reference, observe());
    let clear = async { context.clear() };
    let (filled, ()) = tokio::join!(fill, clear);
    assert_eq!(filled.unwrap_err().code(), "credentials_cleared");
    assert!(context.is_cleared());
}

#[tokio::test]
async fn no_secret_is_in_any_description_error_or_debug_output() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let role = aws.role(ACCOUNT, "shop-1");
    let context = context(&aws.url());
    let sources = given(&user).build();
    let reference = by_role(&role, "shop-1");
    let filled = sources.fill(&context, &reference, observe()).await.unwrap();
    let session = aws.holder(&aws.seen()[1].key_id).unwrap();
    let json = serde_json::to_string(&filled).unwrap();
    let output = format!(
        "{context:?} {sources:?} {filled:?} {json} {:?}",
        context.calls()
    );
    for secret in [&user.secret, &session.secret, &session.token.unwrap()] {
        assert!(!output.contains(&secret[..12]), "found a secret's head");
    }
    for key_id in [&user.key_id, &session.key_id] {
        assert!(!output.contains(&**key_id), "found a whole key id");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_by_aws() {
    let aws = FakeAws::start();
    let mut user = aws.user(ACCOUNT);
    user.secret = random_text(40);
    let sources = Sources::builder().with_static("given", keys(&user)).build();
    let error = sources
        .fill(&context(&aws.url()), &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "key_refused", "{error}");
}
