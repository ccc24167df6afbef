//! Several contexts in one invocation: keys, accounts and records apart, one end.

use ecs_agent_credentials::{
    AccountId, ContextError, ContextEvent, ContextName, ContextState, CredentialReference, Sources,
};

use super::fake_aws::FakeAws;
use super::world::{
    ACCOUNT, OTHER_ACCOUNT, ask, by_role, client, context, given, keys, observe, whoami,
};

fn name(text: &str) -> ContextName {
    text.parse().unwrap()
}

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

/// A person's keys, and those of another account's user.
fn two_accounts(aws: &FakeAws) -> (Sources, CredentialReference, CredentialReference) {
    let here = aws.role(ACCOUNT, "shop-1");
    let there = aws.role(OTHER_ACCOUNT, "shop-1");
    let sources = given(&aws.user(ACCOUNT)).with_static("images", keys(&aws.user(OTHER_ACCOUNT)));
    (
        sources.build(),
        by_role(&here, "shop-1"),
        by_role(&there, "shop-1"),
    )
}

#[tokio::test]
async fn each_call_is_signed_by_its_own_context_and_says_which() {
    let aws = FakeAws::start();
    let (sources, here, there) = two_accounts(&aws);
    let main = context(&aws.url());
    let images = main.named(&name("images"), None).unwrap();
    sources
        .prepare(&images, &there, observe(), account(OTHER_ACCOUNT))
        .unwrap();
    sources.fill(&main, &here, observe()).await.unwrap();
    assert_eq!(
        images.describe().state,
        ContextState::Empty,
        "not before it is needed"
    );

    assert_eq!(whoami(&main).await.as_deref(), Ok(ACCOUNT));
    assert_eq!(whoami(&images).await.as_deref(), Ok(OTHER_ACCOUNT));
    assert_eq!(whoami(&main).await.as_deref(), Ok(ACCOUNT));
    assert_eq!(whoami(&images).await.as_deref(), Ok(OTHER_ACCOUNT));

    let said: Vec<(String, Option<String>)> = main
        .calls()
        .into_iter()
        .map(|call| (call.operation, call.context))
        .collect();
    let of =
        |operation: &str, context: Option<&str>| (operation.to_owned(), context.map(str::to_owned));
    assert_eq!(
        said,
        [
            of("AssumeRole", None),
            of("GetCallerIdentity", None),
            of("GetCallerIdentity", None),
            of("AssumeRole", Some("images")),
            of("GetCallerIdentity", Some("images")),
            of("GetCallerIdentity", Some("images")),
            of("GetCallerIdentity", None),
            of("GetCallerIdentity", Some("images")),
        ]
    );
    let minted: Vec<_> = main
        .take_events(100)
        .events
        .into_iter()
        .filter_map(|event| match event {
            ContextEvent::Minted(mint) => Some((mint.context, mint.account.to_string())),
            ContextEvent::Called(_) | ContextEvent::Cleared | _ => None,
        })
        .collect();
    assert_eq!(
        minted,
        [
            (None, ACCOUNT.to_owned()),
            (Some("images".to_owned()), OTHER_ACCOUNT.to_owned())
        ]
    );
}

#[tokio::test]
async fn keys_of_the_wrong_account_end_that_context_only() {
    let aws = FakeAws::start();
    let (sources, here, there) = two_accounts(&aws);
    let main = context(&aws.url());
    let images = main.named(&name("images"), None).unwrap();
    // The role is the other account's; the registration says otherwise.
    sources
        .prepare(&images, &there, observe(), account("999999999999"))
        .unwrap();
    sources.fill(&main, &here, observe()).await.unwrap();
    assert!(whoami(&images).await.is_err());
    assert!(images.is_cleared());
    assert_eq!(whoami(&main).await.as_deref(), Ok(ACCOUNT));
}

#[tokio::test]
async fn the_invocation_s_end_wipes_them_all() {
    let aws = FakeAws::start();
    let (sources, here, there) = two_accounts(&aws);
    let main = context(&aws.url());
    let images = main.named(&name("images"), None).unwrap();
    sources
        .prepare(&images, &there, observe(), account(OTHER_ACCOUNT))
        .unwrap();
    sources.fill(&main, &here, observe()).await.unwrap();
    let client = client(&images);
    assert_eq!(ask(&client).await.as_deref(), Ok(OTHER_ACCOUNT));
    main.clear();
    assert_eq!(images.describe().state, ContextState::Cleared);
    assert_eq!(images.sdk_config().unwrap_err(), ContextError::Cleared);
    let before = aws.seen().len();
    assert!(ask(&client).await.is_err());
    assert_eq!(aws.seen().len(), before, "nothing is sent afterwards");
}

#[tokio::test]
async fn only_registered_references_are_prepared() {
    let aws = FakeAws::start();
    let (sources, here, there) = two_accounts(&aws);
    let main = context(&aws.url());
    let images = main.named(&name("images"), None).unwrap();
    sources.register_only([here]);
    let refused = sources.prepare(&images, &there, observe(), account(OTHER_ACCOUNT));
    assert_eq!(refused.unwrap_err().code(), "reference_not_registered");
}
