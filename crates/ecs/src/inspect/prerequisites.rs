//! Whether an image and two roles are there that an Express Mode service needs.

use serde::Serialize;

use super::InspectError;
use super::images::{self, Existence, ImageCheck};
use crate::aws::{AwsClients, AwsError};
use crate::observation::{ContainerDefinition, TaskDefinitionSnapshot};
use crate::observe::{Recorder, images as registry, map};

/// The role that pulls the image and writes the logs, unless another is named.
const EXECUTION_ROLE: &str = "ecsTaskExecutionRole";
/// The role that makes the load balancer and the rest, unless another is named.
const INFRASTRUCTURE_ROLE: &str = "ecsInfrastructureRoleForExpressServices";

/// Policies that AWS's documentation attaches to the roles.
const EXECUTION_POLICY: &str = "AmazonECSTaskExecutionRolePolicy";
const INFRASTRUCTURE_POLICY: &str = "AmazonECSInfrastructureRoleforExpressGatewayServices";

/// Whether everything is there.
#[derive(Debug, Clone, Serialize)]
pub struct Prerequisites {
    /// Whether it is.
    pub valid: bool,
    /// What is missing.
    pub errors: Vec<String>,
    /// What may be in order and is unusual.
    pub warnings: Vec<String>,
    /// Each part.
    pub details: PrerequisiteDetails,
}

/// Each part.
#[derive(Debug, Clone, Serialize)]
pub struct PrerequisiteDetails {
    /// The role that pulls the image and writes the logs.
    pub execution_role: RoleCheck,
    /// The role that makes the load balancer and the rest.
    pub infrastructure_role: RoleCheck,
    /// The image.
    pub image: ImageDetail,
}

/// A role.
#[derive(Debug, Clone, Serialize)]
pub struct RoleCheck {
    /// `valid`, `invalid_trust_policy`, `not_found` or `error`.
    pub status: &'static str,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Services that may assume it.
    pub trusted_services: Vec<String>,
    /// Names of the policies that are attached to it.
    pub attached_policies: Vec<String>,
    /// What is wrong.
    pub error: Option<String>,
}

/// An image.
#[derive(Debug, Clone, Serialize)]
pub struct ImageDetail {
    /// `exists`, `not_found`, `repository_not_found` or `unknown`.
    pub status: &'static str,
    /// The reference as it was given.
    pub uri: String,
    /// What was found.
    #[serde(flatten)]
    pub check: ImageCheck,
}

/// Which image and roles are meant.
#[derive(Debug, Clone, Copy)]
pub struct PrerequisiteQuery<'a> {
    /// The image.
    pub image: &'a str,
    /// ARN or name of the execution role.
    pub execution_role: Option<&'a str>,
    /// ARN or name of the infrastructure role.
    pub infrastructure_role: Option<&'a str>,
}

/// Looks at the image and both roles, at once.
///
/// # Errors
/// [`InspectError`] when a name cannot be one; what is not there or not readable is an answer.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn prerequisites(
    clients: &AwsClients,
    query: PrerequisiteQuery<'_>,
) -> Result<Prerequisites, InspectError> {
    let account = clients
        .context()
        .describe()
        .account
        .map(|account| account.to_string())
        .unwrap_or_default();
    let arn = |given: Option<&str>, usual: &str| match given {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        given => format!("arn:aws:iam::{account}:role/{}", given.unwrap_or(usual)),
    };
    let execution = arn(query.execution_role, EXECUTION_ROLE);
    let infrastructure = arn(query.infrastructure_role, INFRASTRUCTURE_ROLE);
    let (execution, infrastructure, image) = tokio::join!(
        role(clients, &execution, "ecs-tasks.amazonaws.com"),
        role(clients, &infrastructure, "ecs.amazonaws.com"),
        image(clients, query.image),
    );
    let mut errors: Vec<String> = [&execution, &infrastructure]
        .into_iter()
        .filter_map(|role| role.error.clone())
        .collect();
    let mut warnings = Vec::new();
    for (role, usual) in [
        (&execution, EXECUTION_POLICY),
        (&infrastructure, INFRASTRUCTURE_POLICY),
    ] {
        if role.status == "valid" && !role.attached_policies.iter().any(|name| name == usual) {
            warnings.push(format!(
                "role `{}` does not have the policy {usual}; it needs the same permissions from elsewhere",
                role.name
            ));
        }
    }
    match image.check.exists {
        Existence::Yes => {}
        Existence::No => errors.extend(image.check.error.clone()),
        Existence::Unknown => warnings.push(match &image.check.error {
            Some(error) => format!("the image was not looked at: {error}"),
            None => "the image is in a registry that cannot be asked from here".to_owned(),
        }),
    }
    Ok(Prerequisites {
        valid: errors.is_empty() && image.check.exists == Existence::Yes,
        errors,
        warnings,
        details: PrerequisiteDetails {
            execution_role: execution,
            infrastructure_role: infrastructure,
            image,
        },
    })
}

async fn role(clients: &AwsClients, arn: &str, service: &str) -> RoleCheck {
    let name = arn.rsplit('/').next().unwrap_or(arn).to_owned();
    let (get, attached) = (
        clients.iam.get_role().role_name(&name),
        clients.iam.list_attached_role_policies().role_name(&name),
    );
    let (read, attached) = tokio::join!(
        clients.read("iam:GetRole", arn, |receipt| {
            get.customize().interceptor(receipt).send()
        }),
        clients.read("iam:ListAttachedRolePolicies", arn, |receipt| {
            attached.customize().interceptor(receipt).send()
        }),
    );
    let mut check = RoleCheck {
        status: "valid",
        arn: arn.to_owned(),
        name,
        trusted_services: Vec::new(),
        attached_policies: Vec::new(),
        error: None,
    };
    match read.outcome {
        Ok(answer) => {
            let trust = answer
                .role()
                .and_then(|role| role.assume_role_policy_document());
            check.trusted_services = trust.map(map::trusted_services).unwrap_or_default();
            if !check
                .trusted_services
                .iter()
                .any(|trusted| trusted == service)
            {
                check.status = "invalid_trust_policy";
                check.error = Some(format!(
                    "role `{}` does not let {service} assume it: add it to the trust policy",
                    check.name
                ));
            }
        }
        Err(error) => {
            check.status = if error.is_not_found() {
                "not_found"
            } else {
                "error"
            };
            check.error = Some(told(&check.name, &error));
            return check;
        }
    }
    if let Ok(answer) = attached.outcome {
        check.attached_policies = answer
            .attached_policies()
            .iter()
            .filter_map(|policy| policy.policy_name().map(str::to_owned))
            .collect();
    }
    check
}

fn told(name: &str, error: &AwsError) -> String {
    if error.is_not_found() {
        return format!("there is no role `{name}`");
    }
    format!("role `{name}` could not be read: {error}")
}

async fn image(clients: &AwsClients, reference: &str) -> ImageDetail {
    // The registry's reader takes what a task definition names.
    let definition = TaskDefinitionSnapshot {
        containers: vec![ContainerDefinition {
            image: reference.to_owned(),
            ..ContainerDefinition::default()
        }],
        ..TaskDefinitionSnapshot::default()
    };
    let mut recorder = Recorder::new(clients.latest_date().unwrap_or_else(chrono::Utc::now));
    let readings = registry::read(clients, std::iter::once(&definition)).await;
    let found: Vec<_> = readings
        .record(&mut recorder)
        .into_iter()
        .map(|image| image.value)
        .collect();
    let (_, _, gaps) = recorder.finish();
    let no_repository = found
        .first()
        .is_some_and(|image| image.repository_exists == Some(false));
    let check = images::check(reference, &found, &gaps);
    ImageDetail {
        status: match check.exists {
            Existence::Yes => "exists",
            Existence::No if no_repository => "repository_not_found",
            Existence::No => "not_found",
            Existence::Unknown => "unknown",
        },
        uri: reference.to_owned(),
        check,
    }
}
