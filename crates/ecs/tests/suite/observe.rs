use ecs_agent_ecs::{ObserveError, ObserveOptions, ServiceTarget, observe};

use super::support::World;

#[tokio::test]
async fn a_healthy_service_is_read_whole_and_without_a_denied_call() {
    let world = World::of("healthy-steady").await;
    let observation = observe(&world.clients, &world.target(), ObserveOptions::default())
        .await
        .unwrap();
    assert_eq!(
        observation.service.running_count,
        observation.service.desired_count
    );
    assert!(observation.task_definition.is_some());
    assert!(!observation.tasks.is_empty());
    assert!(!observation.network.subnets.is_empty());
    assert!(!observation.network.route_tables.is_empty());
    assert!(!observation.network.security_groups.is_empty());
    assert!(!observation.images.is_empty());
    assert!(!observation.roles.is_empty());
    assert!(
        observation
            .log_groups
            .iter()
            .all(|group| group.exists == Some(true))
    );
    assert!(observation.gaps.is_empty(), "{:?}", observation.gaps);
    for evidence in observation.evidence.iter() {
        assert!(evidence.request_id.is_some(), "{}", evidence.call);
    }
    assert!(world.lab.requests().iter().all(|request| !request.mutating));
}

#[tokio::test]
async fn the_same_world_gives_the_same_evidence_ids() {
    let world = World::of("demo").await;
    let read = async || {
        let observation = observe(&world.clients, &world.target(), ObserveOptions::default())
            .await
            .unwrap();
        let named: Vec<String> = observation
            .evidence
            .iter()
            .map(|evidence| format!("{} {} {}", evidence.id, evidence.call, evidence.subject))
            .collect();
        named
    };
    let first = read().await;
    assert!(first.len() > 10, "{first:?}");
    assert_eq!(first, read().await);
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_named() {
    let world = World::of("healthy-steady").await;
    let cluster = world.target().cluster_name().to_owned();
    let missing = ServiceTarget::new(&cluster, "no-such-service");
    let error = observe(&world.clients, &missing, ObserveOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ObserveError::ServiceNotFound {
            service: "no-such-service".to_owned(),
            cluster
        }
    );
}

#[tokio::test]
async fn log_text_is_left_alone_when_a_person_says_so() {
    let world = World::of("app-crash-exit-nonzero").await;
    let options = ObserveOptions {
        read_logs: false,
        ..ObserveOptions::default()
    };
    let observation = observe(&world.clients, &world.target(), options)
        .await
        .unwrap();
    assert!(
        observation
            .log_groups
            .iter()
            .all(|group| group.lines.is_empty())
    );
    assert!(
        !world
            .lab
            .requests()
            .iter()
            .any(|request| request.operation == "FilterLogEvents")
    );
}

#[tokio::test]
async fn the_last_words_of_a_crashed_task_are_read() {
    let world = World::of("app-crash-exit-nonzero").await;
    let observation = observe(&world.clients, &world.target(), ObserveOptions::default())
        .await
        .unwrap();
    assert!(
        observation
            .tasks
            .iter()
            .any(|task| task.last_status == "STOPPED")
    );
    assert!(
        observation
            .log_groups
            .iter()
            .any(|group| !group.lines.is_empty())
    );
}

#[tokio::test]
async fn a_missing_tag_is_an_answer_and_not_a_gap() {
    let world = World::of("image-tag-not-found").await;
    let observation = observe(&world.clients, &world.target(), ObserveOptions::default())
        .await
        .unwrap();
    let missing = observation
        .images
        .iter()
        .find(|image| image.image_exists == Some(false));
    assert!(!missing.unwrap().existing_tags.is_empty());
    assert!(
        !observation
            .gaps
            .iter()
            .any(|gap| gap.call == "ecr:DescribeImages")
    );
}
