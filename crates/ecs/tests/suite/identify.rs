use ecs_agent_ecs::{Identification, SearchHints, identify};

use super::support::World;

#[tokio::test]
async fn the_service_is_found_by_name_arn_and_task() {
    let world = World::of("demo").await;
    let target = world.target();
    let hints = SearchHints::default();
    let name = target.service_name();
    let sentence = format!("my {name} service keeps restarting");
    let Identification::One(found) = identify(&world.clients, &sentence, &hints).await.unwrap()
    else {
        panic!("`{sentence}` is not clear");
    };
    assert_eq!(found.service, name);
    assert_eq!(found.cluster, target.cluster_name());
    let by_arn = identify(&world.clients, &found.service_arn, &hints)
        .await
        .unwrap();
    assert!(matches!(by_arn, Identification::One(same) if same.service_arn == found.service_arn));
}

#[tokio::test]
async fn words_that_fit_two_services_become_a_question() {
    let world = World::of("ambiguous-service").await;
    let name = world.target().service_name().to_owned();
    let answer = identify(&world.clients, &name, &SearchHints::default())
        .await
        .unwrap();
    assert!(
        matches!(&answer, Identification::Several(several) if several.len() > 1),
        "{answer:?}"
    );
}

#[tokio::test]
async fn words_that_fit_nothing_say_what_was_searched() {
    let world = World::of("healthy-steady").await;
    let answer = identify(&world.clients, "zeppelin", &SearchHints::default())
        .await
        .unwrap();
    let Identification::None { searched } = answer else {
        panic!("{answer:?}")
    };
    assert!(searched.contains("clusters"), "{searched}");
}
