use std::time::Duration;

use ecs_agent_lab::{LabHandle, RequestOutcome};

use super::support::{agent, lab};

/// Registers the service's definition with more memory for the task, and perhaps for its
/// container, and deploys it.
async fn give_memory(lab: &LabHandle, container_mib: Option<i32>) {
    let ecs = aws_sdk_ecs::Client::new(&agent(lab).await);
    let clusters = ecs.list_clusters().send().await.unwrap();
    let cluster = clusters.cluster_arns().first().unwrap();
    let described = ecs
        .describe_services()
        .cluster(cluster)
        .services("api")
        .send()
        .await
        .unwrap();
    let present = described.services()[0].task_definition().unwrap();
    let definition = ecs
        .describe_task_definition()
        .task_definition(present)
        .send()
        .await
        .unwrap();
    let definition = definition.task_definition().unwrap();
    let mut containers = definition.container_definitions().to_vec();
    if let Some(mib) = container_mib {
        containers
            .iter_mut()
            .for_each(|container| container.memory = Some(mib));
    }
    let registered = ecs
        .register_task_definition()
        .family(definition.family().unwrap())
        .set_network_mode(definition.network_mode().cloned())
        .set_requires_compatibilities(Some(definition.requires_compatibilities().to_vec()))
        .set_execution_role_arn(definition.execution_role_arn().map(str::to_owned))
        .set_task_role_arn(definition.task_role_arn().map(str::to_owned))
        .set_runtime_platform(definition.runtime_platform().cloned())
        .set_container_definitions(Some(containers))
        .cpu("1024")
        .memory("4096")
        .send()
        .await
        .unwrap();
    let registered = registered.task_definition().unwrap();
    assert_eq!(registered.revision(), definition.revision() + 1);
    let update = ecs.update_service().cluster(cluster).service("api");
    update
        .task_definition(registered.task_definition_arn().unwrap())
        .send()
        .await
        .unwrap();
    lab.advance(Duration::from_secs(20 * 60));
}

/// The demo's container needs more memory than its hard limit.
#[tokio::test]
async fn a_correct_repair_heals_the_service() {
    let lab = lab("demo").await;
    assert!(!lab.health().healthy);
    give_memory(&lab, Some(2048)).await;
    let health = lab.health();
    assert!(health.healthy, "{:?}", health.problems);
    assert!(health.bystanders_untouched, "{:?}", health.touched);

    let writes: Vec<String> = lab
        .requests()
        .into_iter()
        .filter(|request| request.mutating)
        .inspect(|request| assert_eq!(request.outcome, RequestOutcome::Allowed))
        .map(|request| request.operation)
        .collect();
    assert_eq!(writes, ["RegisterTaskDefinition", "UpdateService"]);
}

#[tokio::test]
async fn memory_for_the_task_alone_heals_nothing() {
    let lab = lab("demo").await;
    give_memory(&lab, None).await;
    assert!(!lab.health().healthy);
}
