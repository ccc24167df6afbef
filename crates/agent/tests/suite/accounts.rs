//! A service whose images another account keeps: read with that account's own credentials.

use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use ecs_agent_core::{FurtherAccount, Input, InvocationResult, Mode};
use ecs_agent_credentials::{CredentialReference, SecretText, Sources, StaticCredentials};
use ecs_agent_lab::{LabAccount, Scenario};
use ecs_agent_store::TenantScope;
use serde_json::Value;

use super::support::Bench;

const HERE: &str = "111122223333";
const THERE: &str = "444455556666";
const REGION: &str = "us-east-1";

/// Two accounts with the same names; the images of the second one are the first one's too.
const SCENARIO: &str = r#"
name: images-elsewhere
title: The images are kept in another account
request: api does not start
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - {name: prod, services: [{name: api, template: fargate-web}]}
- id: "444455556666"
  regions:
  - name: us-east-1
    clusters:
    - {name: shared, services: [{name: base, template: fargate-web}]}
truth:
  target: {account: "111122223333", cluster: prod, service: api}
  causes: []
  repairable: false
"#;

/// The bench, after somebody deployed an image of the other account.
async fn bench() -> (Bench, LabAccount) {
    let scenario = Scenario::parse("images-elsewhere.yaml", SCENARIO).unwrap();
    let mut bench = Bench::with(scenario).await;
    bench.settings.mode = Mode::Diagnose;
    let there = bench.lab.accounts();
    let there = there.iter().find(|account| account.account_id == THERE);
    let there = there.unwrap().clone();
    deploy_image_of(&bench, THERE).await;
    bench.lab.advance(std::time::Duration::from_secs(120));
    (bench, there)
}

async fn deploy_image_of(bench: &Bench, account: &str) {
    let engineer = &bench.account.engineer;
    let keys = Credentials::from_keys(&engineer.access_key_id, &engineer.secret_access_key, None);
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(bench.lab.url())
        .credentials_provider(keys)
        .build();
    let client = aws_sdk_ecs::Client::from_conf(config);
    let service = client.describe_services().cluster("prod").services("api");
    let service = service.send().await.unwrap().services.unwrap().remove(0);
    let definition = client
        .describe_task_definition()
        .task_definition(service.task_definition.unwrap());
    let definition = definition.send().await.unwrap().task_definition.unwrap();
    let containers: Vec<ContainerDefinition> = definition
        .container_definitions()
        .iter()
        .cloned()
        .map(|mut container| {
            let image = format!("{account}.dkr.ecr.{REGION}.amazonaws.com/base:1.4.2");
            container.image = Some(image);
            container
        })
        .collect();
    let registered = client
        .register_task_definition()
        .family(definition.family().unwrap())
        .set_container_definitions(Some(containers))
        .set_execution_role_arn(definition.execution_role_arn.clone())
        .set_task_role_arn(definition.task_role_arn.clone())
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .set_cpu(definition.cpu.clone())
        .set_memory(definition.memory.clone())
        .send()
        .await
        .unwrap();
    let revision = registered.task_definition.unwrap().task_definition_arn;
    let update = client.update_service().cluster("prod").service("api");
    update.set_task_definition(revision).send().await.unwrap();
}

/// Sources with the keys of both accounts' people.
fn sources(bench: &Bench, there: &LabAccount) -> Sources {
    let keys = |account: &LabAccount| {
        let secret = SecretText::from(account.secret_access_key.clone());
        StaticCredentials::new(&account.access_key_id, secret, None, None).unwrap()
    };
    Sources::builder()
        .with_static("person", keys(&bench.account))
        .with_static("images", keys(there))
        .build()
}

fn account_of(there: &LabAccount, account: &str) -> FurtherAccount {
    FurtherAccount {
        name: "images".parse().unwrap(),
        account: account.parse().unwrap(),
        region: None,
        credentials: CredentialReference::AssumeRole {
            role_arn: there.role_arn.parse().unwrap(),
            external_id: Some(there.external_id.clone()),
            base: Box::new(CredentialReference::Static {
                label: "images".to_owned(),
            }),
        },
    }
}

async fn diagnosed(bench: &mut Bench, there: &LabAccount) -> InvocationResult {
    let words = Input::Say(bench.request.clone());
    let sources = sources(bench, there);
    bench.invoke_with(sources, words, None).await.unwrap()
}

/// Image reads of the observation: what each was about, by evidence and by gap.
fn image_reads(result: &InvocationResult) -> (Vec<String>, Vec<String>) {
    let observation = &result.values["observation"];
    let of = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .filter(|item| item["call"] == "ecr:DescribeImages")
            .map(|item| item["subject"].as_str().unwrap().to_owned())
            .filter(|subject| subject.contains("base"))
            .collect()
    };
    (of(&observation["evidence"]), of(&observation["gaps"]))
}

/// Operations that reached the other account, by its own session.
fn reads_there(bench: &Bench) -> Vec<String> {
    bench
        .lab
        .requests()
        .into_iter()
        .filter(|request| request.account.as_deref() == Some(THERE))
        .map(|request| format!("{}:{}", request.service, request.operation))
        .collect()
}

#[tokio::test]
async fn images_of_another_account_are_read_with_that_account_s_credentials() {
    let (mut bench, there) = bench().await;
    bench.settings.accounts = vec![account_of(&there, THERE)];
    let result = diagnosed(&mut bench, &there).await;
    let (evidence, gaps) = image_reads(&result);
    assert!(
        evidence
            .iter()
            .any(|subject| subject.ends_with("(credentials `images`)")),
        "{evidence:?} {gaps:?}"
    );
    assert_eq!(gaps, [""; 0]);
    let mut there = reads_there(&bench);
    there.sort();
    there.dedup();
    assert_eq!(
        there,
        [
            "ecr:DescribeImages",
            "sts:AssumeRole",
            "sts:GetCallerIdentity"
        ],
        "nothing else is read there, and nothing written"
    );
    // Whoever reads the audit sees whose credentials each call was signed with.
    let local = TenantScope::local();
    let audit = bench.settings.store.audit(&local, bench.thread).await;
    let audit = audit.unwrap();
    let named = |kind: &str| {
        let of_images = audit
            .iter()
            .filter(|record| record.kind == kind && record.content["context"] == "images");
        of_images.count()
    };
    assert_eq!(named("credentials_minted"), 1);
    assert!(named("aws_call") >= 3, "{audit:?}");
}

#[tokio::test]
async fn without_credentials_for_it_the_other_account_is_a_gap_or_unread() {
    let (mut bench, there) = bench().await;
    let result = diagnosed(&mut bench, &there).await;
    let (evidence, _) = image_reads(&result);
    assert!(
        !evidence
            .iter()
            .any(|subject| subject.contains("credentials"))
    );
    assert_eq!(reads_there(&bench), [""; 0]);
}

#[tokio::test]
async fn credentials_of_an_account_that_was_not_meant_are_a_gap_and_the_diagnosis_goes_on() {
    let (mut bench, there) = bench().await;
    // The role belongs to the other account, and the registration says it is this one's.
    let mut wrong = account_of(&there, HERE);
    wrong.region = Some(REGION.parse().unwrap());
    bench.settings.accounts = vec![wrong];
    deploy_image_of(&bench, HERE).await;
    let result = diagnosed(&mut bench, &there).await;
    let (evidence, gaps) = image_reads(&result);
    assert!(
        !evidence
            .iter()
            .any(|subject| subject.contains("credentials"))
    );
    assert!(gaps.iter().any(|gap| gap.contains("`images`")), "{gaps:?}");
    assert!(result.values.contains_key("diagnosis"));
}
