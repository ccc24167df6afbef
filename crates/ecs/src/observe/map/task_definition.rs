//! `DescribeTaskDefinition`.

use aws_sdk_ecs::types::{
    ContainerDefinition as SdkContainer, HealthCheck as SdkHealthCheck,
    LogConfiguration as SdkLogConfiguration, TaskDefinition, UlimitName,
};

use crate::aws::{TextCleaner, moment};
use crate::observation::{
    ContainerDefinition, ContainerHealthCheck, LogConfiguration, PortMapping, SecretReference,
    TaskDefinitionSnapshot,
};

pub(crate) fn task_definition(
    from: &TaskDefinition,
    cleaner: &TextCleaner,
) -> TaskDefinitionSnapshot {
    let platform = from.runtime_platform();
    TaskDefinitionSnapshot {
        arn: from.task_definition_arn().unwrap_or_default().to_owned(),
        family: from.family().unwrap_or_default().to_owned(),
        revision: from.revision(),
        status: from
            .status()
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        network_mode: from.network_mode().map(|mode| mode.as_str().to_owned()),
        requires_compatibilities: from
            .requires_compatibilities()
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        cpu: from.cpu().and_then(|cpu| cpu.parse().ok()),
        memory_mib: from.memory().and_then(|memory| memory.parse().ok()),
        execution_role_arn: from.execution_role_arn().map(ToOwned::to_owned),
        task_role_arn: from.task_role_arn().map(ToOwned::to_owned),
        cpu_architecture: platform
            .and_then(|platform| platform.cpu_architecture())
            .map(|architecture| architecture.as_str().to_owned()),
        operating_system_family: platform
            .and_then(|platform| platform.operating_system_family())
            .map(|family| family.as_str().to_owned()),
        ephemeral_storage_gib: from
            .ephemeral_storage()
            .map(|storage| storage.size_in_gib()),
        containers: from
            .container_definitions()
            .iter()
            .map(|item| container(item, cleaner))
            .collect(),
        registered_at: moment(from.registered_at()),
    }
}

fn container(from: &SdkContainer, cleaner: &TextCleaner) -> ContainerDefinition {
    ContainerDefinition {
        name: from.name().unwrap_or_default().to_owned(),
        image: cleaner.words(from.image().unwrap_or_default()),
        // ECS's default: a container is essential unless it says otherwise.
        essential: from.essential().unwrap_or(true),
        cpu: from.cpu(),
        memory_mib: from.memory(),
        memory_reservation_mib: from.memory_reservation(),
        port_mappings: from
            .port_mappings()
            .iter()
            .map(|mapping| PortMapping {
                container_port: mapping.container_port().unwrap_or_default(),
                host_port: mapping.host_port(),
                protocol: mapping
                    .protocol()
                    .map(|protocol| protocol.as_str().to_owned()),
                name: mapping.name().map(ToOwned::to_owned),
            })
            .collect(),
        environment_names: from
            .environment()
            .iter()
            .filter_map(|pair| pair.name())
            .map(|name| cleaner.words(name))
            .collect(),
        secrets: from
            .secrets()
            .iter()
            .map(|secret| SecretReference {
                name: cleaner.words(secret.name()),
                value_from: cleaner.words(secret.value_from()),
            })
            .collect(),
        overrides_command: !from.command().is_empty() || !from.entry_point().is_empty(),
        log_configuration: from.log_configuration().map(log_configuration),
        health_check: from.health_check().map(health_check),
        depends_on: from
            .depends_on()
            .iter()
            .map(|on| {
                (
                    on.container_name().to_owned(),
                    on.condition().as_str().to_owned(),
                )
            })
            .collect(),
        runs_as_other_user: from.user().is_some_and(|user| !is_root(user)),
        read_only_root: from.readonly_root_filesystem() == Some(true),
        open_files_limit: from
            .ulimits()
            .iter()
            .find(|limit| *limit.name() == UlimitName::Nofile)
            .map(|limit| limit.soft_limit()),
        is_log_router: from.firelens_configuration().is_some(),
    }
}

/// `user` or `user:group`, by name or number.
fn is_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    user.is_empty() || user == "root" || user == "0"
}

fn log_configuration(from: &SdkLogConfiguration) -> LogConfiguration {
    let option = |name: &str| {
        from.options()
            .and_then(|options| options.get(name))
            .cloned()
    };
    LogConfiguration {
        driver: from.log_driver().as_str().to_owned(),
        group: option("awslogs-group"),
        region: option("awslogs-region"),
        stream_prefix: option("awslogs-stream-prefix"),
        create_group: option("awslogs-create-group").as_deref() == Some("true"),
    }
}

/// The forms of a health check's command.
const FORMS: [&str; 3] = ["CMD", "CMD-SHELL", "NONE"];

/// The programs of health checks that are named. Any other word is kept back: it may be a secret.
const PROGRAMS: [&str; 22] = [
    "curl",
    "wget",
    "nc",
    "ncat",
    "netcat",
    "grpc_health_probe",
    "pg_isready",
    "redis-cli",
    "mysqladmin",
    "pgrep",
    "ps",
    "cat",
    "test",
    "exit",
    "sh",
    "bash",
    "node",
    "python",
    "python3",
    "java",
    "php",
    "ruby",
];

fn health_check(from: &SdkHealthCheck) -> ContainerHealthCheck {
    let (form, program) = match from.command() {
        [form, line, ..] => (
            form.as_str(),
            line.split_whitespace().next().unwrap_or_default(),
        ),
        [line] => ("", line.split_whitespace().next().unwrap_or_default()),
        [] => ("", ""),
    };
    // The command may hold anything: only words that say nothing else are kept.
    let form = FORMS.into_iter().find(|known| *known == form);
    let name = program.rsplit('/').next().unwrap_or_default();
    let program = PROGRAMS.into_iter().find(|known| *known == name);
    ContainerHealthCheck {
        program: [form, program]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        interval_seconds: from.interval(),
        timeout_seconds: from.timeout(),
        retries: from.retries(),
        start_period_seconds: from.start_period(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{KeyValuePair, LogDriver, RepositoryCredentials, Secret};

    use super::*;

    #[test]
    fn values_that_may_be_secret_are_never_kept() {
        let from = SdkContainer::builder()
            .name("app")
            .image("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1")
            .environment(
                KeyValuePair::builder()
                    .name("DB_URL")
                    .value("canary-env")
                    .build(),
            )
            .secrets(
                Secret::builder()
                    .name("KEY")
                    .value_from("arn:aws:ssm:x")
                    .build()
                    .unwrap(),
            )
            .command("canary-command")
            .entry_point("canary-entry")
            .docker_labels("l", "canary-label")
            .hostname("canary-host")
            .extra_hosts(
                aws_sdk_ecs::types::HostEntry::builder()
                    .hostname("canary-extra")
                    .ip_address("10.0.0.1")
                    .build()
                    .unwrap(),
            )
            .repository_credentials(
                RepositoryCredentials::builder()
                    .credentials_parameter("canary-repo")
                    .build()
                    .unwrap(),
            )
            .log_configuration(
                SdkLogConfiguration::builder()
                    .log_driver(LogDriver::Awslogs)
                    .options("awslogs-group", "/ecs/app")
                    .options("splunk-token", "canary-option")
                    .secret_options(
                        Secret::builder()
                            .name("n")
                            .value_from("canary-so")
                            .build()
                            .unwrap(),
                    )
                    .build()
                    .unwrap(),
            )
            .health_check(
                SdkHealthCheck::builder()
                    .command("CMD-SHELL")
                    .command("curl -H 'X-Key: canary-check' http://localhost")
                    .build()
                    .unwrap(),
            )
            .build();
        let snapshot = container(&from, &TextCleaner::new().unwrap());
        assert_eq!(snapshot.environment_names, ["DB_URL"]);
        assert_eq!(
            snapshot.health_check.as_ref().unwrap().program,
            "CMD-SHELL curl"
        );
        assert_eq!(
            snapshot
                .log_configuration
                .as_ref()
                .unwrap()
                .group
                .as_deref(),
            Some("/ecs/app")
        );
        assert!(snapshot.overrides_command);
        let kept = serde_json::to_string(&snapshot).unwrap();
        assert!(!kept.contains("canary"), "{kept}");
    }

    #[test]
    fn an_assignment_is_not_a_program() {
        let check = SdkHealthCheck::builder()
            .command("CMD-SHELL")
            .command("TOKEN=canary curl http://localhost")
            .build()
            .unwrap();
        assert_eq!(health_check(&check).program, "CMD-SHELL");
    }
}
