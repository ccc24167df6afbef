use aws_credential_types::Credentials;
use ecs_agent_lab::{RequestOutcome, WireFault, WireFaultKind};

use super::support::{
    account, agent, assume, config, http, lab, operator, refusal, region, session,
};

#[tokio::test]
async fn a_session_knows_who_it_is() {
    let lab = lab("demo").await;
    let account = account(&lab);
    let request = assume(&lab, account, "inv-1").source_identity("ada");
    let sts = aws_sdk_sts::Client::new(&session(&lab, account, request).await);
    let identity = sts.get_caller_identity().send().await.unwrap();
    let arn = format!(
        "arn:aws:sts::{}:assumed-role/ecs-deep-agent/inv-1",
        account.account_id
    );
    assert_eq!(identity.arn(), Some(arn.as_str()));
    assert_eq!(identity.account(), Some(account.account_id.as_str()));
    let requests = lab.requests();
    let last = requests.last().unwrap();
    assert_eq!(last.session_name.as_deref(), Some("inv-1"));
    assert_eq!(last.source_identity.as_deref(), Some("ada"));
    assert_eq!(
        (last.mutating, &last.outcome),
        (false, &RequestOutcome::Allowed)
    );
}

#[tokio::test]
async fn the_static_user_may_only_assume_the_role() {
    let lab = lab("demo").await;
    let account = account(&lab);
    let operator = operator(&lab, account);
    let ecs = aws_sdk_ecs::Client::new(&operator);
    let (code, message) = refusal(ecs.list_clusters().send().await);
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.ends_with("because no identity-based policy allows the ecs:ListClusters action"),
        "{message}",
    );
    let guess = assume(&lab, account, "inv-1").external_id("guess");
    assert_eq!(refusal(guess.send().await).0, "AccessDenied");
}

#[tokio::test]
async fn a_session_policy_only_narrows() {
    let lab = lab("demo").await;
    let account = account(&lab);
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["ecs:List*","s3:*"],"Resource":"*"}]}"#;
    let request = assume(&lab, account, "narrow").policy(policy);
    let narrow = session(&lab, account, request).await;
    let ecs = aws_sdk_ecs::Client::new(&narrow);
    let clusters = ecs.list_clusters().send().await.unwrap();
    let cluster = clusters.cluster_arns().first().unwrap().clone();
    let update = ecs
        .update_service()
        .cluster(&cluster)
        .service("api")
        .desired_count(0);
    let (code, message) = refusal(update.send().await);
    assert_eq!(code, "AccessDeniedException");
    let service = cluster.replace(":cluster/", ":service/");
    assert_eq!(
        message,
        format!(
            "User: arn:aws:sts::{}:assumed-role/ecs-deep-agent/narrow is not authorized to \
             perform: ecs:UpdateService on resource: {service}/api because no session policy \
             allows the ecs:UpdateService action",
            account.account_id
        ),
    );
    let requests = lab.requests();
    let last = requests.last().unwrap();
    assert!(last.mutating && last.narrowed);
    assert_eq!(
        last.outcome,
        RequestOutcome::Denied("AccessDeniedException".to_owned())
    );
    let long = format!("{{\"Statement\":[],\"Id\":\"{}\"}}", "x".repeat(2048));
    let (code, _) = refusal(assume(&lab, account, "long").policy(long).send().await);
    assert_eq!(code, "ValidationError");
}

#[tokio::test]
async fn wrong_and_expired_credentials_are_refused() {
    let lab = lab("demo").await;
    let account = account(&lab);
    let region = region(account);
    let keys = |id: &str, secret: &str| Credentials::new(id, secret, None, None, "test");
    let list = |config: &aws_types::SdkConfig| aws_sdk_ecs::Client::new(config).list_clusters();

    let unknown = config(&lab, region, keys("AKIAUNKNOWN", "secret"));
    assert_eq!(
        refusal(list(&unknown).send().await).0,
        "UnrecognizedClientException"
    );
    let wrong = config(&lab, region, keys(&account.access_key_id, "secret"));
    assert_eq!(
        refusal(list(&wrong).send().await).0,
        "InvalidSignatureException"
    );
    let sts = aws_sdk_sts::Client::new(&wrong);
    assert_eq!(
        refusal(sts.get_caller_identity().send().await).0,
        "SignatureDoesNotMatch"
    );

    let agent = agent(&lab).await;
    assert!(list(&agent).send().await.is_ok());
    assert_eq!(lab.expire_credentials(None), 1);
    assert_eq!(
        refusal(list(&agent).send().await).0,
        "ExpiredTokenException"
    );
}

#[tokio::test]
async fn unsigned_requests_are_refused_in_the_protocol_they_came_in() {
    let lab = lab("demo").await;
    let target = "X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters";
    let (status, body) = http(&lab, &format!("POST / HTTP/1.1\r\n{target}"), "{}").await;
    assert_eq!(status, 400);
    assert!(
        body.contains("MissingAuthenticationTokenException"),
        "{body}"
    );
    let (status, body) = http(&lab, "POST / HTTP/1.1", "Action=GetCallerIdentity").await;
    assert_eq!(status, 403);
    assert!(
        body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
}

#[tokio::test]
async fn injected_faults_come_and_go() {
    let lab = lab("demo").await;
    let ecs = aws_sdk_ecs::Client::new(&agent(&lab).await);
    lab.inject(WireFault {
        service: Some("ecs".to_owned()),
        operation: Some("ListClusters".to_owned()),
        kind: WireFaultKind::Throttled,
        times: 1,
    });
    let (code, message) = refusal(ecs.list_clusters().send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ThrottlingException", "Rate exceeded")
    );
    assert!(ecs.list_clusters().send().await.is_ok());
}
