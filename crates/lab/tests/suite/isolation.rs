use ecs_agent_lab::{LabConfig, LabServer, RequestOutcome, Scenario};
use futures_util::future::join_all;

use super::support::{assume, refusal, session};

#[tokio::test]
async fn accounts_with_the_same_names_stay_apart() {
    let scenario = Scenario::isolation(12, &["eu-west-1", "us-east-1"]).unwrap();
    let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
    let sessions = join_all(lab.accounts().iter().enumerate().map(|(number, account)| {
        session(
            &lab,
            account,
            assume(&lab, account, &format!("inv-{number}")),
        )
    }));
    let sessions = sessions.await;
    let listed = join_all(sessions.iter().map(|config| {
        let ecs = aws_sdk_ecs::Client::new(config);
        async move {
            ecs.list_clusters()
                .send()
                .await
                .unwrap()
                .cluster_arns()
                .to_vec()
        }
    }));
    let listed = listed.await;
    for (account, arns) in lab.accounts().iter().zip(&listed) {
        assert!(!arns.is_empty());
        for arn in arns {
            assert_eq!(arn.split(':').nth(4), Some(account.account_id.as_str()));
        }
    }
    // Another account's cluster is not found under its ARN, although the name exists here too.
    let ecs = aws_sdk_ecs::Client::new(&sessions[0]);
    let (code, _) = refusal(ecs.list_services().cluster(&listed[1][0]).send().await);
    assert_eq!(code, "ClusterNotFoundException");

    for request in lab
        .requests()
        .iter()
        .filter(|request| request.service == "ecs")
    {
        let own = lab
            .accounts()
            .iter()
            .position(|account| Some(account.account_id.as_str()) == request.account.as_deref());
        assert_eq!(
            request.session_name,
            own.map(|number| format!("inv-{number}"))
        );
        assert_ne!(request.outcome, RequestOutcome::Denied(String::new()));
    }
}
