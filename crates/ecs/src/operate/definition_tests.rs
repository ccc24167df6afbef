use aws_sdk_ecs::types::{KeyValuePair, LogConfiguration, LogDriver, PortMapping};

use super::*;
use crate::plan::CpuArchitecture as Architecture;

fn base() -> TaskDefinition {
    let container = ContainerDefinition::builder()
        .name("app")
        .image("app:2")
        .memory(256)
        .port_mappings(
            PortMapping::builder()
                .container_port(80)
                .host_port(80)
                .build(),
        )
        .environment(KeyValuePair::builder().name("A").value("old").build())
        .command("broken")
        .secrets(
            Secret::builder()
                .name("KEY")
                .value_from("arn:x")
                .build()
                .unwrap(),
        )
        .log_configuration(
            LogConfiguration::builder()
                .log_driver(LogDriver::Awslogs)
                .options("awslogs-group", "/g")
                .build()
                .unwrap(),
        )
        .health_check(
            HealthCheck::builder()
                .command("CMD")
                .command("x")
                .interval(5)
                .build()
                .unwrap(),
        )
        .build();
    TaskDefinition::builder()
        .family("api")
        .cpu("256")
        .memory("512")
        .container_definitions(container)
        .build()
}

fn older() -> BTreeMap<String, Revision> {
    let container = ContainerDefinition::builder()
        .name("app")
        .environment(KeyValuePair::builder().name("A").value("good").build())
        .command("works")
        .build();
    let definition = TaskDefinition::builder()
        .container_definitions(container)
        .build();
    BTreeMap::from([(
        "td:1".to_owned(),
        Revision {
            definition,
            tags: Vec::new(),
        },
    )])
}

fn changed(change: TaskDefinitionChange) -> Result<TaskDefinition, String> {
    let mut definition = base();
    super::change(&mut definition, &[change], &older())?;
    Ok(definition)
}

fn app(definition: &TaskDefinition) -> &ContainerDefinition {
    &definition.container_definitions()[0]
}

fn name() -> String {
    "app".to_owned()
}

#[test]
fn each_change_touches_its_own_field() {
    let image = changed(TaskDefinitionChange::SetImage {
        container: name(),
        image: "app:1".to_owned(),
    });
    let expected = {
        let mut definition = base();
        definition.container_definitions.as_mut().unwrap()[0].image = Some("app:1".to_owned());
        definition
    };
    assert_eq!(image.unwrap(), expected);

    let size = changed(TaskDefinitionChange::SetTaskSize {
        cpu: 512,
        memory_mib: 1024,
    })
    .unwrap();
    assert_eq!((size.cpu(), size.memory()), (Some("512"), Some("1024")));

    let port = changed(TaskDefinitionChange::SetContainerPort {
        container: name(),
        from: 80,
        to: 8080,
    });
    let port = port.unwrap();
    let mapping = &app(&port).port_mappings()[0];
    assert_eq!(
        (mapping.container_port(), mapping.host_port()),
        (Some(8080), Some(8080))
    );

    let timing = changed(TaskDefinitionChange::SetHealthCheckTiming {
        container: name(),
        interval_seconds: None,
        timeout_seconds: Some(3),
        retries: None,
        start_period_seconds: Some(60),
    })
    .unwrap();
    let check = app(&timing).health_check().unwrap();
    assert_eq!(
        (check.interval(), check.timeout(), check.start_period()),
        (Some(5), Some(3), Some(60))
    );
    assert_eq!(check.command(), ["CMD", "x"]);

    let log = changed(TaskDefinitionChange::SetLogGroupCreation {
        container: name(),
        create: true,
    });
    let log = log.unwrap();
    let options = app(&log).log_configuration().unwrap().options().unwrap();
    assert_eq!(
        options.get("awslogs-create-group").map(String::as_str),
        Some("true")
    );

    let arm = changed(TaskDefinitionChange::SetCpuArchitecture {
        architecture: Architecture::Arm,
    });
    let arm = arm.unwrap();
    assert_eq!(
        arm.runtime_platform().unwrap().cpu_architecture(),
        Some(&CpuArchitecture::Arm64)
    );

    let essential = changed(TaskDefinitionChange::SetEssential {
        container: name(),
        essential: false,
    });
    assert_eq!(app(&essential.unwrap()).essential(), Some(false));

    let secrets = changed(TaskDefinitionChange::RemoveSecretReference {
        container: name(),
        name: "KEY".to_owned(),
    });
    assert!(app(&secrets.unwrap()).secrets().is_empty());
}

#[test]
fn values_are_copied_from_the_revision_that_has_them() {
    let from = "td:1".to_owned();
    let command = changed(TaskDefinitionChange::CopyCommand {
        container: name(),
        from: from.clone(),
    });
    assert_eq!(app(&command.unwrap()).command(), ["works"]);
    let variable = changed(TaskDefinitionChange::CopyEnvironmentVariable {
        container: name(),
        name: "A".to_owned(),
        from: from.clone(),
    })
    .unwrap();
    assert_eq!(app(&variable).environment()[0].value(), Some("good"));
    let check = changed(TaskDefinitionChange::CopyHealthCheck {
        container: name(),
        from,
    });
    assert!(app(&check.unwrap()).health_check().is_none());
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let refused = changed(TaskDefinitionChange::RemoveHealthCheck {
        container: "web".to_owned(),
    });
    assert_eq!(
        refused.unwrap_err(),
        "the base revision has no container `web`"
    );
    let refused = changed(TaskDefinitionChange::CopyCommand {
        container: name(),
        from: "td:9".to_owned(),
    });
    assert_eq!(
        refused.unwrap_err(),
        "`td:9` has no container `app` to copy from"
    );
    let refused = changed(TaskDefinitionChange::SetContainerPort {
        container: name(),
        from: 81,
        to: 82,
    });
    assert_eq!(refused.unwrap_err(), "container `app` maps no port 81");
}

#[test]
fn a_revision_is_known_by_its_plan_and_step() {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let revision = Revision {
        definition: base(),
        tags: vec![tag(PLAN_TAG, "abc"), tag(STEP_TAG, "1")],
    };
    assert!(revision.is_of("abc", 1));
    assert!(!revision.is_of("abc", 2));
    assert!(!revision.is_of("abd", 1));
    assert!(!format!("{revision:?}").contains("old"));
}
