use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

#[test]
fn a_lifetime_is_measured_by_the_issuer_s_clock() {
    let hour = TimeDelta::hours(1);
    let issued = Lifetime::measured(Some(at(3600)), at(0), hour);
    assert!(!issued.ends_within(RENEWAL_MARGIN, Some(at(60))));
    assert!(issued.ends_within(RENEWAL_MARGIN, Some(at(3500))));
    assert!(issued.ends_within(TimeDelta::zero(), Some(at(3600))));
    assert!(!issued.ends_within(RENEWAL_MARGIN, None));
    let short = Lifetime::measured(Some(at(60)), at(0), hour);
    assert!(short.ends_within(RENEWAL_MARGIN, None));
}

#[test]
fn times_of_two_clocks_are_not_compared() {
    let hour = TimeDelta::hours(1);
    for issuer_now in [at(-1_000_000), at(1_000_000)] {
        let issued = Lifetime::measured(Some(at(3600)), issuer_now, hour);
        assert!(!issued.ends_within(RENEWAL_MARGIN, Some(issuer_now)));
    }
}

#[test]
fn keys_without_an_end_do_not_end() {
    let lifetime = Lifetime::stated(None, at(0));
    assert!(!lifetime.ends_within(TimeDelta::days(10_000), Some(at(0))));
    let over = Lifetime::stated(Some(at(0)), at(1));
    assert!(over.ends_within(TimeDelta::zero(), None));
}

#[test]
fn service_context_is_kept_until_the_end() {
    let invocation = InvocationId::new(uuid::Uuid::nil());
    let context = CredentialContext::new(invocation, None, Endpoints::Aws);
    let service = ServiceContext {
        cluster: "shop".to_owned(),
        service: "api".to_owned(),
        region: "eu-west-1".parse().unwrap(),
        account: "123456789012".parse().unwrap(),
        organization: None,
        environment: Some("production".to_owned()),
    };
    context.set_service_context(service.clone());
    assert_eq!(context.service_context(), Some(service));
    context.clear();
    context.clear();
    assert_eq!(context.service_context(), None);
    assert!(context.is_cleared());
}

#[test]
fn a_panic_while_the_lock_is_held_does_not_keep_the_context_from_being_cleared() {
    let invocation = InvocationId::new(uuid::Uuid::nil());
    let context = CredentialContext::new(invocation, None, Endpoints::Aws);
    let keys = Keys::from_issuer("testing", "testing", None, None).unwrap();
    let ticket = context.begin_fill().unwrap();
    let filled = Filled {
        keys,
        identity: None,
        lifetime: Lifetime::stated(None, at(0)),
        recipe: None,
    };
    context.commit_fill(&ticket, filled).unwrap();
    let under_the_lock = std::panic::AssertUnwindSafe(|| context.slot.read(|_| panic!("here")));
    assert!(std::panic::catch_unwind(under_the_lock).is_err());
    assert!(context.signing_keys().is_ok());
    context.clear();
    assert_eq!(context.signing_keys().unwrap_err(), ContextError::Cleared);
}
