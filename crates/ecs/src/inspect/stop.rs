//! Why a task stopped, from everything that ECS says about it: one cause a task.
//!
//! `stoppedReason` and `stopCode` come first, because they are ECS's own statement; a container's
//! exit code only decides when ECS says that a container ended by itself. So 137 is "out of memory"
//! only where ECS says so, and a SIGKILL after a failed health check is the health check's.

use serde::Serialize;

use crate::observation::{ContainerSnapshot, TaskSnapshot};

/// What ended a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopCategory {
    /// The image could not be pulled.
    ImagePullFailure,
    /// A secret or parameter could not be read.
    SecretsUnavailable,
    /// Logs could not be delivered, so the container was not started.
    LogDriverFailure,
    /// The network interface or a volume could not be provided.
    NetworkSetupFailure,
    /// The container could not be created or its program not started.
    ContainerStartFailure,
    /// There was no room for it.
    ResourceConstraint,
    /// ECS says that it used more memory than its limit.
    OutOfMemory,
    /// Its program read memory that is not its own (SIGSEGV).
    SegmentationFault,
    /// SIGKILL, and nothing says that memory was the reason.
    KilledBySigkill,
    /// SIGTERM that ECS did not send for one of the reasons below.
    TerminatedBySigterm,
    /// Its program ended with an error.
    ApplicationError,
    /// Its program ended without an error, and a service needs it to go on.
    EssentialContainerExited,
    /// Its own health check failed.
    ContainerHealthCheckFailed,
    /// The load balancer's health check failed.
    LoadBalancerHealthCheckFailed,
    /// Spot capacity was taken back.
    SpotInterruption,
    /// The host went away.
    HostTerminated,
    /// A person or program stopped it.
    StoppedByPerson,
    /// The service needed fewer tasks, or others of a newer deployment.
    ScaledInOrReplaced,
    /// None of these.
    Other,
}

impl StopCategory {
    /// Whether something went wrong, as against a stop that somebody or the service wanted.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::StoppedByPerson | Self::ScaledInOrReplaced)
    }

    /// The name that answers use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImagePullFailure => "image_pull_failure",
            Self::SecretsUnavailable => "secrets_unavailable",
            Self::LogDriverFailure => "log_driver_failure",
            Self::NetworkSetupFailure => "network_setup_failure",
            Self::ContainerStartFailure => "container_start_failure",
            Self::ResourceConstraint => "resource_constraint",
            Self::OutOfMemory => "out_of_memory",
            Self::SegmentationFault => "segmentation_fault",
            Self::KilledBySigkill => "killed_by_sigkill",
            Self::TerminatedBySigterm => "terminated_by_sigterm",
            Self::ApplicationError => "application_error",
            Self::EssentialContainerExited => "essential_container_exited",
            Self::ContainerHealthCheckFailed => "container_health_check_failed",
            Self::LoadBalancerHealthCheckFailed => "load_balancer_health_check_failed",
            Self::SpotInterruption => "spot_interruption",
            Self::HostTerminated => "host_terminated",
            Self::StoppedByPerson => "stopped_by_person",
            Self::ScaledInOrReplaced => "scaled_in_or_replaced",
            Self::Other => "other",
        }
    }
}

/// A cause and the words that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StopCause {
    pub(crate) category: StopCategory,
    pub(crate) because: String,
}

/// Reads why a stopped task stopped.
pub(crate) fn cause(task: &TaskSnapshot) -> StopCause {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let code = task.stop_code.as_deref().unwrap_or_default();
    let stated = stated(task, reason)
        .or_else(|| by_code(code, reason))
        .or_else(|| by_exit(task));
    stated.unwrap_or_else(|| StopCause {
        category: StopCategory::Other,
        because: match (code, reason) {
            ("", "") => "ECS gives no reason".to_owned(),
            ("", reason) => format!("stoppedReason: {reason}"),
            (code, "") => format!("stopCode {code}, without a reason"),
            (code, reason) => format!("stopCode {code}: {reason}"),
        },
    })
}

/// What one of ECS's texts says outright, in the task's reason or a container's.
fn stated(task: &TaskSnapshot, reason: &str) -> Option<StopCause> {
    use StopCategory as C;
    // From the narrowest to the widest: a secret's failure is a ResourceInitializationError too.
    const WORDS: [(&[&str], StopCategory); 9] = [
        (&["OutOfMemoryError", "OutOfMemory:"], C::OutOfMemory),
        (
            &[
                "failed ELB health checks",
                "failed to pass ELB health checks",
            ],
            C::LoadBalancerHealthCheckFailed,
        ),
        (
            &["failed container health checks"],
            C::ContainerHealthCheckFailed,
        ),
        (
            &[
                "CannotPullContainerError",
                "CannotPullImageManifestError",
                "CannotPullECRContainerError",
                "ecr registry auth",
                "GetAuthorizationToken",
                "ImagePull",
            ],
            C::ImagePullFailure,
        ),
        (
            &[
                "unable to pull secrets",
                "unable to retrieve secret",
                "secretsmanager",
                "ssm parameters",
                "from asm",
                "invalid ssm parameters",
            ],
            C::SecretsUnavailable,
        ),
        (
            &[
                "failed to initialize logging driver",
                "failed to validate logger args",
                "failed to create Cloudwatch log",
                "log group does not exist",
            ],
            C::LogDriverFailure,
        ),
        (
            &[
                "network interface provision",
                "ENI provisioning",
                "InsufficientFreeAddressesInSubnet",
                "EphemeralStorage provisioning",
                "failed to setup regular eni",
                "RESOURCE:ENI",
            ],
            C::NetworkSetupFailure,
        ),
        (
            &[
                "CannotStartContainerError",
                "CannotCreateContainerError",
                "ContainerRuntimeError",
                "ContainerRuntimeTimeoutError",
            ],
            C::ContainerStartFailure,
        ),
        (
            &[
                "RESOURCE:",
                "unable to place a task",
                "Capacity is unavailable",
                "EMPTY CAPACITY PROVIDER",
                "No Container Instances were found",
            ],
            C::ResourceConstraint,
        ),
    ];
    let containers = task.containers.iter().filter_map(|container| {
        Some((
            format!("container `{}`", container.name),
            container.reason.as_deref()?,
        ))
    });
    let texts: Vec<(String, &str)> = std::iter::once(("stoppedReason".to_owned(), reason))
        .chain(containers)
        .collect();
    WORDS.iter().find_map(|(words, category)| {
        let (place, text) = texts.iter().find(|(_, text)| {
            words.iter().any(|word| {
                text.to_ascii_lowercase()
                    .contains(&word.to_ascii_lowercase())
            })
        })?;
        Some(StopCause {
            category: *category,
            because: format!("{place}: {text}"),
        })
    })
}

/// What `stopCode` decides: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>.
fn by_code(code: &str, reason: &str) -> Option<StopCause> {
    let category = match code {
        "SpotInterruption" => StopCategory::SpotInterruption,
        "TerminationNotice" => StopCategory::HostTerminated,
        "UserInitiated" => StopCategory::StoppedByPerson,
        "ServiceSchedulerInitiated" => StopCategory::ScaledInOrReplaced,
        _ => return None,
    };
    Some(StopCause {
        category,
        because: format!("stopCode {code}: {reason}"),
    })
}

/// A container that ended by itself: the one that ended first, as far as codes can tell.
fn by_exit(task: &TaskSnapshot) -> Option<StopCause> {
    let ended = || {
        task.containers
            .iter()
            .filter_map(|container| Some((container, container.exit_code?)))
    };
    // When one essential container ends, ECS stops the others with SIGTERM, then SIGKILL: their 143
    // and 137 are consequences, so a code of the program's own comes first.
    let (container, code) = ended()
        .find(|(_, code)| !matches!(code, 0 | 137 | 143))
        .or_else(|| ended().find(|(_, code)| *code == 0))
        .or_else(|| ended().find(|(_, code)| *code == 137))
        .or_else(|| ended().next())?;
    Some(StopCause {
        category: category_of(code),
        because: words_of(container, code),
    })
}

fn category_of(code: i32) -> StopCategory {
    match code {
        0 => StopCategory::EssentialContainerExited,
        126 | 127 => StopCategory::ContainerStartFailure,
        137 => StopCategory::KilledBySigkill,
        139 => StopCategory::SegmentationFault,
        143 => StopCategory::TerminatedBySigterm,
        _ => StopCategory::ApplicationError,
    }
}

fn words_of(container: &ContainerSnapshot, code: i32) -> String {
    let name = &container.name;
    let meaning = match code {
        0 => "it ended by itself without an error",
        126 => "its program cannot be executed",
        127 => "its program was not found",
        137 => "SIGKILL; ECS does not say that memory was the reason",
        139 => "SIGSEGV",
        143 => "SIGTERM",
        _ => "its program ended with an error",
    };
    match container.reason.as_deref() {
        Some(reason) => format!("container `{name}` exit code {code} ({meaning}): {reason}"),
        None => format!("container `{name}` exit code {code} ({meaning})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, exit_code: Option<i32>, reason: Option<&str>) -> ContainerSnapshot {
        ContainerSnapshot {
            name: name.to_owned(),
            exit_code,
            reason: reason.map(str::to_owned),
            ..ContainerSnapshot::default()
        }
    }

    fn task(code: &str, reason: &str, containers: Vec<ContainerSnapshot>) -> TaskSnapshot {
        TaskSnapshot {
            stop_code: Some(code.to_owned()),
            stopped_reason: Some(reason.to_owned()),
            containers,
            ..TaskSnapshot::default()
        }
    }

    #[test]
    fn one_cause_a_task_from_everything_that_ecs_says() {
        use StopCategory as C;
        const EXITED: &str = "Essential container in task exited";
        let app = |code| container("app", Some(code), None);
        for (code, reason, containers, expected) in [
            // 137 alone is not "out of memory".
            (
                "EssentialContainerExited",
                EXITED,
                vec![app(137)],
                C::KilledBySigkill,
            ),
            (
                "EssentialContainerExited",
                EXITED,
                vec![container(
                    "app",
                    Some(137),
                    Some("OutOfMemoryError: Container killed due to memory usage"),
                )],
                C::OutOfMemory,
            ),
            (
                "ServiceSchedulerInitiated",
                "Task failed ELB health checks in (target-group arn:aws:x)",
                vec![app(137)],
                C::LoadBalancerHealthCheckFailed,
            ),
            // A sidecar that ECS killed after the program ended.
            (
                "EssentialContainerExited",
                EXITED,
                vec![container("proxy", Some(137), None), app(1)],
                C::ApplicationError,
            ),
            (
                "EssentialContainerExited",
                EXITED,
                vec![container("proxy", Some(137), None), app(0)],
                C::EssentialContainerExited,
            ),
            (
                "TaskFailedToStart",
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
                vec![container("app", None, None)],
                C::ImagePullFailure,
            ),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
                 retrieval failed: unable to retrieve secret from asm: AccessDeniedException",
                vec![container("app", None, None)],
                C::SecretsUnavailable,
            ),
            (
                "ServiceSchedulerInitiated",
                "Task failed container health checks",
                vec![app(0)],
                C::ContainerHealthCheckFailed,
            ),
            (
                "SpotInterruption",
                "Your Spot Task was interrupted.",
                vec![app(143)],
                C::SpotInterruption,
            ),
            (
                "EssentialContainerExited",
                EXITED,
                vec![app(143)],
                C::TerminatedBySigterm,
            ),
            (
                "ServiceSchedulerInitiated",
                "Scaling activity initiated by (deployment ecs-svc/1)",
                vec![app(143)],
                C::ScaledInOrReplaced,
            ),
            (
                "UserInitiated",
                "stopped by hand",
                vec![app(137)],
                C::StoppedByPerson,
            ),
            (
                "EssentialContainerExited",
                EXITED,
                vec![app(139)],
                C::SegmentationFault,
            ),
            (
                "EssentialContainerExited",
                EXITED,
                vec![app(127)],
                C::ContainerStartFailure,
            ),
            ("", "", vec![], C::Other),
        ] {
            let cause = cause(&task(code, reason, containers));
            assert_eq!(
                cause.category, expected,
                "{code} {reason}: {}",
                cause.because
            );
        }
    }

    #[test]
    fn the_words_name_where_they_come_from() {
        let said = cause(&task(
            "EssentialContainerExited",
            "",
            vec![container("app", Some(1), None)],
        ));
        assert_eq!(
            said.because,
            "container `app` exit code 1 (its program ended with an error)"
        );
    }

    #[test]
    fn a_stop_that_was_wanted_is_no_failure() {
        assert!(!StopCategory::ScaledInOrReplaced.is_failure());
        assert!(!StopCategory::StoppedByPerson.is_failure());
        assert!(StopCategory::SpotInterruption.is_failure());
    }
}
