//! Requests of the Query protocol.

use super::fake_aws::{FakeAws, Mishap};
use super::world::{ACCOUNT, by_label, context, given, observe, whoami};

#[tokio::test]
async fn a_form_is_signed_sent_and_answered() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    given(&aws.user(ACCOUNT))
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    let odd = "a b+c/d=e&f~g é 100%";
    let form = [("Action", "DescribeSubnets"), ("Filter.1.Value.1", odd)];
    let answer = context.post_signed_form("ec2", &form).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<subnetSet/>"));
    assert!(answer.request_id.is_some() && answer.date.is_some());
    let seen = aws.seen().pop().unwrap();
    assert!(seen.signature_ok);
    assert_eq!(seen.params["Filter.1.Value.1"], odd);
    assert_eq!(
        (seen.service.as_str(), seen.region.as_str()),
        ("ec2", "eu-west-1")
    );
}

#[tokio::test]
async fn throttling_server_errors_and_broken_connections_are_retried_in_bounds() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    given(&aws.user(ACCOUNT))
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    let form = [("Action", "DescribeSubnets")];
    aws.next_answers([
        Mishap::Error(400, "Throttling"),
        Mishap::HangUp,
        Mishap::Error(503, "ServiceUnavailable"),
    ]);
    let answer = context.post_signed_form("ec2", &form).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(aws.seen().len(), 1 + 4);

    aws.next_answers(vec![Mishap::Error(503, "RequestLimitExceeded"); 20]);
    let answer = context.post_signed_form("ec2", &form).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(
        aws.seen().len(),
        1 + 4 + 5,
        "five attempts, then the answer as it is"
    );
}

#[tokio::test]
async fn a_person_decides_how_often_is_tried_again() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    given(&aws.user(ACCOUNT))
        .retries(1)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    aws.next_answers(vec![Mishap::Error(503, "ServiceUnavailable"); 20]);
    let form = [("Action", "DescribeSubnets")];
    assert_eq!(
        context.post_signed_form("ec2", &form).await.unwrap().status,
        503
    );
    assert_eq!(aws.seen().len(), 1 + 2, "once by hand");
    assert!(whoami(&context).await.is_err());
    assert_eq!(aws.seen().len(), 1 + 2 + 2, "once by the SDK");
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_not_retried() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    given(&aws.user(ACCOUNT))
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    aws.next_answers([Mishap::Error(403, "UnauthorizedOperation")]);
    let form = [("Action", "DescribeSubnets")];
    let answer = context.post_signed_form("ec2", &form).await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<Code>UnauthorizedOperation</Code>"));
    assert_eq!(aws.seen().len(), 2);
}

#[tokio::test]
async fn an_empty_context_signs_nothing() {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    let form = [("Action", "DescribeSubnets")];
    let error = context.post_signed_form("ec2", &form).await.unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
    assert!(aws.seen().is_empty());
}
