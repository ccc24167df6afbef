//! The record of AWS calls.

use super::fake_aws::{FakeAws, Mishap};
use super::world::{ACCOUNT, by_label, context, given, observe, whoami};
use chrono::{TimeDelta, Utc};

#[tokio::test]
async fn every_call_is_recorded_with_its_id_its_attempts_and_the_clock_of_aws() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let context = context(&aws.url());
    assert_eq!(context.aws_now(), None);
    given(&user)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    aws.set_clock_ahead(TimeDelta::days(30));
    aws.next_answers([Mishap::Error(503, "ServiceUnavailable")]);
    whoami(&context).await.unwrap();
    context
        .post_signed_form("ec2", &[("Action", "DescribeSubnets")])
        .await
        .unwrap();

    let calls = context.calls();
    let summary: Vec<_> = calls
        .iter()
        .map(|c| (c.number, &*c.service, &*c.operation, c.attempts, c.status))
        .collect();
    assert_eq!(
        summary,
        [
            (1, "sts", "GetCallerIdentity", 1, Some(200)),
            (2, "sts", "GetCallerIdentity", 2, Some(200)),
            (3, "ec2", "DescribeSubnets", 1, Some(200)),
        ]
    );
    for call in &calls {
        assert_eq!(call.region, "eu-west-1");
        assert_eq!(call.access_key_id_last4, user.key_id[16..]);
        assert_eq!(call.request_id.as_ref().unwrap().len(), 12);
        assert!(!call.duration.is_zero());
    }
    let ahead = context.aws_now().unwrap() - Utc::now();
    assert!((29..=30).contains(&ahead.num_days()), "{ahead}");
    assert_eq!(calls[2].aws_date, context.aws_now());
    assert_eq!(context.calls_after(2), calls[2..]);
    assert_eq!(context.calls_after(3), []);
}

#[tokio::test]
async fn a_call_without_an_answer_is_recorded_too() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    given(&aws.user(ACCOUNT))
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    aws.next_answers([Mishap::HangUp]);
    whoami(&context).await.unwrap();
    let call = context.calls().pop().unwrap();
    assert_eq!((call.attempts, call.status), (2, Some(200)));
}
