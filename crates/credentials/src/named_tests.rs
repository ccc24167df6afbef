use super::*;
use crate::context::ContextState;
use crate::endpoint::Endpoints;
use crate::identity::InvocationId;
use crate::leak_guard::{LeakBlocked, Sink};

fn main_context() -> Arc<CredentialContext> {
    let region = Some("eu-west-1".parse().unwrap());
    CredentialContext::new(InvocationId::new(uuid::Uuid::nil()), region, Endpoints::Aws)
}

fn name(text: &str) -> ContextName {
    text.parse().unwrap()
}

#[test]
fn a_name_is_a_short_word() {
    for (text, is_name) in [
        ("images", true),
        ("network-2", true),
        ("", false),
        ("2nd", false),
        ("Images", false),
        ("a b", false),
        ("abcdefghijklmnopqrstuvwxyz-0123456", false),
    ] {
        assert_eq!(text.parse::<ContextName>().is_ok(), is_name, "{text}");
    }
}

#[test]
fn the_same_name_is_the_same_context_and_another_is_another() {
    let main = main_context();
    let images = main.named(&name("images"), None).unwrap();
    assert!(Arc::ptr_eq(
        &images,
        &main.named(&name("images"), None).unwrap()
    ));
    assert!(Arc::ptr_eq(
        &images,
        &images.named(&name("images"), None).unwrap()
    ));
    let other = main.named(&name("network"), Some("us-east-1".parse().unwrap()));
    let other = other.unwrap();
    assert!(!Arc::ptr_eq(&images, &other));
    assert_eq!(images.region().unwrap().as_str(), "eu-west-1");
    assert_eq!(other.region().unwrap().as_str(), "us-east-1");
    assert_eq!(images.invocation(), main.invocation());
    let moved = main.named(&name("images"), Some("us-east-1".parse().unwrap()));
    assert!(matches!(moved, Err(ContextError::RegionFixed { .. })));
}

#[test]
fn the_main_context_s_end_is_everyone_s_and_a_named_one_s_is_its_own() {
    let main = main_context();
    let images = main.named(&name("images"), None).unwrap();
    let network = main.named(&name("network"), None).unwrap();
    network.clear();
    assert_eq!(network.describe().state, ContextState::Cleared);
    assert!(!main.is_cleared() && !images.is_cleared());
    main.clear();
    assert!(images.is_cleared());
    assert_eq!(
        main.named(&name("late"), None).unwrap_err(),
        ContextError::Cleared
    );
    assert_eq!(
        images.named(&name("late"), None).unwrap_err(),
        ContextError::Cleared
    );
}

#[test]
fn what_is_withheld_for_one_ends_them_all() {
    let main = main_context();
    let images = main.named(&name("images"), None).unwrap();
    let network = main.named(&name("network"), None).unwrap();
    images.trip(LeakBlocked {
        sink: Sink::ModelRequest,
    });
    assert!(main.is_cleared() && images.is_cleared() && network.is_cleared());
    assert!(main.withheld().is_some());
}
