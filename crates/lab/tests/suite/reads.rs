use aws_sdk_ecs::types::{DesiredStatus, ServiceField, TaskDefinitionField};

use super::support::{agent, lab};

#[tokio::test]
async fn the_sdk_reads_a_service_and_what_surrounds_it() {
    let lab = lab("demo").await;
    let config = agent(&lab).await;
    let ecs = aws_sdk_ecs::Client::new(&config);
    let clusters = ecs.list_clusters().into_paginator().items().send();
    let clusters: Vec<String> = clusters.collect::<Result<_, _>>().await.unwrap();
    let cluster = clusters.first().unwrap();
    let described = ecs
        .describe_services()
        .cluster(cluster)
        .services("api")
        .include(ServiceField::Tags)
        .send()
        .await
        .unwrap();
    let [service] = described.services() else {
        panic!("one service")
    };
    assert_eq!(service.service_name(), Some("api"));
    assert!(!service.events().is_empty() && !service.deployments().is_empty());

    let definition = ecs
        .describe_task_definition()
        .task_definition(service.task_definition().unwrap())
        .include(TaskDefinitionField::Tags)
        .send()
        .await
        .unwrap();
    assert!(
        definition
            .task_definition()
            .unwrap()
            .execution_role_arn()
            .is_some()
    );

    for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let tasks = ecs
            .list_tasks()
            .cluster(cluster)
            .service_name("api")
            .desired_status(status);
        let tasks = tasks.send().await.unwrap().task_arns().to_vec();
        if !tasks.is_empty() {
            let described = ecs
                .describe_tasks()
                .cluster(cluster)
                .set_tasks(Some(tasks.clone()));
            assert_eq!(described.send().await.unwrap().tasks().len(), tasks.len());
        }
    }

    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let arn = service
        .load_balancers()
        .first()
        .unwrap()
        .target_group_arn()
        .unwrap();
    let groups = elb
        .describe_target_groups()
        .target_group_arns(arn)
        .send()
        .await
        .unwrap();
    let [group] = groups.target_groups() else {
        panic!("one target group")
    };
    assert!(!group.load_balancer_arns().is_empty());
    let health = elb
        .describe_target_health()
        .target_group_arn(arn)
        .send()
        .await
        .unwrap();
    for target in health.target_health_descriptions() {
        assert!(
            target
                .target_health()
                .and_then(|health| health.state())
                .is_some()
        );
    }

    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let options = definition
        .task_definition()
        .unwrap()
        .container_definitions()[0]
        .log_configuration()
        .and_then(|configuration| configuration.options())
        .unwrap();
    let events = logs
        .filter_log_events()
        .log_group_name(&options["awslogs-group"])
        .limit(5);
    assert_eq!(events.send().await.unwrap().events().len(), 5);

    let iam = aws_sdk_iam::Client::new(&config);
    let role = definition
        .task_definition()
        .unwrap()
        .execution_role_arn()
        .unwrap();
    let name = role.rsplit('/').next().unwrap();
    let found = iam.get_role().role_name(name).send().await.unwrap();
    assert_eq!(found.role().unwrap().arn(), role);
    let simulated = iam
        .simulate_principal_policy()
        .policy_source_arn(role)
        .action_names("ecr:BatchGetImage")
        .send()
        .await
        .unwrap();
    assert_eq!(
        simulated.evaluation_results()[0].eval_decision().as_str(),
        "allowed"
    );
}
