//! Failures that AWS states in so many words: in a task's reason or in a service event.
//!
//! The words of each mode are in the catalogue's entries, with their sources; here is which of them
//! decide, and what must not be beside them.

use regex::Regex;

use super::Finding;
use super::view::{Draft, View, has_any, reasons, short};

/// What a mode is told by.
struct Stated {
    mode: &'static str,
    /// Any of these in the reason of a task that failed.
    by_task: &'static [&'static str],
    /// Any of these in a current service event.
    by_event: &'static [&'static str],
    /// None of these beside them: another mode has the better claim.
    unless: &'static [&'static str],
    /// The cause; `{task}` is the revision, `{service}` the service.
    because: &'static str,
}

/// Modes that one text decides.
const STATED: [Stated; 22] = [
    Stated {
        mode: "capacity-provider-empty",
        by_task: &["EMPTY CAPACITY PROVIDER", "NO ACTIVE INSTANCES"],
        by_event: &["No Container Instances were found in your capacity provider"],
        unless: &[],
        because: "The capacity provider of `{service}` has no active container instance and starts none.",
    },
    Stated {
        mode: "ecr-cross-account-repository-policy",
        by_task: &["because no resource-based policy allows the ecr:"],
        by_event: &[],
        unless: &[],
        because: "The repository's policy in the other account does not let the role of {task} pull.",
    },
    Stated {
        mode: "eni-provisioning-timeout",
        by_task: &[
            "Timeout waiting for network interface provisioning to complete",
            "Timeout waiting for EphemeralStorage provisioning to complete",
            "failed to setup regular eni: netplugin failed with no error message",
            "Unexpected EC2 error while attempting to attach network interface to instance",
            "Network interface provision complete error timeout wait for network interface provision",
        ],
        by_event: &[],
        unless: &["InsufficientFreeAddressesInSubnet"],
        because: "AWS did not provide the network interface or storage of a task of {task} in time.",
    },
    Stated {
        mode: "firelens-config-or-router-crash",
        by_task: &[
            "unable to download firelens s3 config file",
            "unable to generate firelens config file",
        ],
        by_event: &[],
        unless: &[],
        because: "The log router of {task} has a configuration that cannot be used.",
    },
    Stated {
        mode: "kms-key-disabled-or-deleted",
        by_task: &["KMSInvalidStateException", "DisabledException"],
        by_event: &[],
        unless: &[],
        because: "The KMS key that a secret of {task} is encrypted with is disabled or being deleted.",
    },
    Stated {
        mode: "secret-kms-decrypt-denied",
        by_task: &[
            "Access to KMS is not allowed",
            "is not authorized to perform: kms:Decrypt",
            "The ciphertext refers to a customer master key that does not exist",
        ],
        by_event: &[],
        unless: &["explicit deny", "KMSInvalidStateException"],
        because: "The execution role of {task} may not decrypt with the KMS key of a secret that it asks for.",
    },
    Stated {
        mode: "log-group-create-denied",
        by_task: &["is not authorized to perform: logs:CreateLogGroup"],
        by_event: &[],
        unless: &["explicit deny"],
        because: "{task} is told to create its log group, and its execution role may not.",
    },
    Stated {
        mode: "private-registry-credentials-bad",
        by_task: &[
            "asm fetching authorization data: unable to unmarshal secret value",
            "asm fetching username: AuthorizationData is malformed",
            "unauthorized: incorrect username or password",
            "no basic auth credentials",
        ],
        by_event: &[],
        unless: &[],
        because: "The registry refuses the credentials that {task} pulls its image with.",
    },
    Stated {
        mode: "resource-eni-limit",
        by_task: &[
            "RESOURCE:ENI",
            "Unable to attach network interface to unused device index",
        ],
        by_event: &["encountered error \"RESOURCE:ENI\""],
        unless: &[],
        because: "No container instance has a network interface left for another task of `{service}`.",
    },
    Stated {
        mode: "deployment-config-impossible",
        by_task: &[],
        by_event: &[
            "unable to stop or start tasks during a deployment because of the service deployment configuration",
        ],
        unless: &[],
        because: "The minimum and maximum percent of `{service}` leave ECS no task to stop and none to start.",
    },
    Stated {
        mode: "deployment-blocked-by-task-protection",
        by_task: &[],
        by_event: &["protected tasks are more than the desired count of tasks"],
        unless: &[],
        because: "Tasks of `{service}` are protected from scale-in, so the deployment cannot replace them.",
    },
    Stated {
        mode: "ssm-parameter-missing",
        by_task: &["invalid ssm parameters: ", ": invalid parameters: "],
        by_event: &[],
        unless: &[],
        because: "{task} asks for a Parameter Store parameter that does not exist.",
    },
    Stated {
        mode: "ssm-parameter-denied",
        by_task: &["is not authorized to perform: ssm:GetParameters"],
        by_event: &[],
        unless: &["explicit deny"],
        because: "The execution role of {task} may not read a Parameter Store parameter that it asks for.",
    },
    Stated {
        mode: "envfile-s3-denied-or-missing",
        by_task: &[
            "failed to download env files",
            "unable to download env file with key",
        ],
        by_event: &[],
        unless: &["context deadline exceeded", "i/o timeout"],
        because: "The file of variables that {task} names in S3 is missing, or its execution role may not read it.",
    },
    Stated {
        mode: "docker-hub-rate-limit",
        by_task: &["toomanyrequests: "],
        by_event: &[],
        unless: &["public.ecr.aws"],
        because: "Docker Hub refuses to serve the image of {task}: the address has reached its limit of anonymous pulls.",
    },
    Stated {
        mode: "host-port-conflict",
        by_task: &["port is already allocated", "bind: address already in use"],
        by_event: &[],
        unless: &[],
        because: "{task} takes a fixed host port that something else on the container instance holds.",
    },
    Stated {
        mode: "resource-ports",
        by_task: &["RESOURCE:PORTS"],
        by_event: &["is already using a port required by your task"],
        unless: &[],
        because: "Every container instance has the fixed host port of `{service}` in use already.",
    },
    Stated {
        mode: "placement-constraint-unsatisfied",
        by_task: &["placement constraint unsatisfied"],
        by_event: &["placement constraint unsatisfied"],
        unless: &[],
        because: "No container instance satisfies the placement constraints of `{service}`.",
    },
    Stated {
        mode: "fargate-capacity-unavailable",
        by_task: &["Capacity is unavailable at this time"],
        by_event: &["Capacity is unavailable at this time"],
        unless: &[],
        because: "Fargate has no capacity for `{service}` in the Availability Zones of its subnets.",
    },
    Stated {
        mode: "fargate-vcpu-quota",
        by_task: &[],
        by_event: &[
            "You've reached the limit on the number of vCPUs you can run concurrently",
            "You've reached the limit on the number of tasks you can run concurrently",
        ],
        unless: &[],
        because: "The account has reached its quota of Fargate, so `{service}` gets no more tasks.",
    },
    Stated {
        mode: "ecs-api-throttled",
        by_task: &[],
        by_event: &["operations are being throttled. Will try again later"],
        unless: &[],
        because: "ECS's calls for `{service}` are throttled, so it launches nothing.",
    },
    Stated {
        mode: "target-group-deleted",
        by_task: &[],
        by_event: &["TARGET GROUP IS NOT FOUND"],
        unless: &[],
        because: "A target group that `{service}` registers its tasks in does not exist any more.",
    },
];

/// A digest that ECS resolved earlier and that the registry no longer has.
const DIGEST_GONE: &str = r"failed to resolve ref \S+@sha256:[0-9a-f]{64}: not found";

/// Every mode of the table that is stated.
pub(crate) fn stated(view: &View<'_>) -> Vec<Finding> {
    STATED
        .iter()
        .filter_map(|stated| stated.find(view))
        .chain(digest_gone(view))
        .chain(no_resolver(view))
        .collect()
}

impl Stated {
    fn find(&self, view: &View<'_>) -> Option<Finding> {
        let task = view.failures().find(|task| {
            let text = reasons(task);
            has_any(&text, self.by_task) && !has_any(&text, self.unless)
        });
        let event = self
            .by_event
            .iter()
            .find_map(|fragment| view.event_saying(fragment));
        if task.is_none() && event.is_none() {
            return None;
        }
        let service = &view.observation.service;
        let revision = task.map_or(service.task_definition.as_str(), |task| {
            task.task_definition.as_str()
        });
        let sentence = self
            .because
            .replace("{task}", short(revision))
            .replace("{service}", &service.name);
        let draft = view
            .draft(self.mode)?
            .because(sentence)
            .affects(&service.arn)
            .decided(true, "");
        let draft = match task {
            Some(task) => draft.cite_task(task),
            None => draft,
        };
        match event {
            Some(event) => draft.cite_event(event),
            None => draft,
        }
        .finish()
    }
}

/// `image-digest-gone-version-consistency`: the tag was resolved once, and what it named is gone.
fn digest_gone(view: &View<'_>) -> Option<Finding> {
    let pattern = Regex::new(DIGEST_GONE).ok()?;
    let task = view
        .failures()
        .find(|task| pattern.is_match(&reasons(task)))?;
    let definition = view.revision_of(task)?;
    // A digest that the task definition itself names is a wrong reference, not a lost one.
    let container = definition
        .containers
        .iter()
        .find(|container| !container.image.contains("@sha256:"))?;
    view.draft("image-digest-gone-version-consistency")
        .map(|draft| {
            draft
                .because(format!(
                    "ECS pins `{}` of {} to the digest it had at deployment, which the registry no longer has.",
                    container.image,
                    short(&definition.arn)
                ))
                .affects(&container.image)
                .cite_task(task)
                .decided(true, "")
        })
        .and_then(Draft::finish)
}

/// `vpc-dns-disabled`: the task itself, before any program runs, cannot resolve AWS's own names.
fn no_resolver(view: &View<'_>) -> Option<Finding> {
    const UNRESOLVED: [&str; 3] = [
        "no such host",
        "server misbehaving",
        "Temporary failure in name resolution",
    ];
    let task = view.failures().find(|task| {
        let text = reasons(task);
        task.started_at.is_none()
            && text.contains("amazonaws.com")
            && has_any(&text, &UNRESOLVED)
            && !text.contains(".efs.")
    })?;
    view.draft("vpc-dns-disabled")?
        .because(format!(
            "The VPC's resolver does not know AWS's own names, so {} cannot start.",
            short(&task.task_definition)
        ))
        .affects(&task.task_definition)
        .cite_task(task)
        .decided(false, "ec2:DescribeVpcAttribute of the VPC")
        .finish()
}

#[cfg(test)]
#[path = "stated_tests.rs"]
mod tests;
