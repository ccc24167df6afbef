//! Whether a task can be started: secrets, registry, image, log driver, in the order ECS meets them.

use std::sync::Arc;

use super::Tick;
use super::reachability::Place;
use crate::world::{
    AppBehaviour, ContainerDefinition, Image, LaunchType, Role, SecretReference, TaskSpec,
};

/// Why a task could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StartFailure {
    /// The task's `stoppedReason`.
    pub(super) reason: String,
    /// The container that it is about, and its `reason`.
    pub(super) container: Option<(String, String)>,
    /// Whether it is a time-out, which takes longer to show.
    pub(super) timed_out: bool,
}

/// What a started container runs.
#[derive(Clone, Debug)]
pub(super) struct PulledImage {
    pub(super) digest: Option<String>,
    pub(super) app: Arc<AppBehaviour>,
}

impl StartFailure {
    fn at_once(reason: String) -> Self {
        Self {
            reason,
            container: None,
            timed_out: false,
        }
    }

    fn after_time_out(reason: String) -> Self {
        Self {
            reason,
            container: None,
            timed_out: true,
        }
    }
}

const INITIALIZATION: &str =
    "ResourceInitializationError: unable to pull secrets or registry auth: ";

impl Tick<'_> {
    /// Goes through everything between PENDING and the first process.
    pub(super) fn start(
        &self,
        spec: &TaskSpec,
        launch_type: LaunchType,
        task_id: &str,
        place: Place<'_>,
    ) -> Result<Vec<PulledImage>, StartFailure> {
        let role = spec
            .execution_role_arn
            .as_deref()
            .and_then(|arn| self.account.role(arn));
        let session = format!(
            "arn:aws:sts::{}:assumed-role/{}/{task_id}",
            self.account.id,
            role.map_or("none", |role| role.name.as_str())
        );
        let caller = Caller {
            role,
            session: &session,
        };
        for secret in spec.container_definitions.iter().flat_map(|c| &c.secrets) {
            self.resolve_secret(&caller, place, secret)?;
        }
        let uses_ecr = spec
            .container_definitions
            .iter()
            .any(|c| c.image.contains(".dkr.ecr."));
        if uses_ecr {
            self.registry_auth(&caller, place)?;
        }
        let mut images = Vec::new();
        for container in &spec.container_definitions {
            images.push(self.pull(&caller, place, spec, container)?);
        }
        for container in &spec.container_definitions {
            self.log_driver(&caller, place, launch_type, container)?;
        }
        Ok(images)
    }

    fn may(&self, caller: &Caller<'_>, action: &str, resource: &str) -> bool {
        caller
            .role
            .is_some_and(|role| self.account.role_may(role, action, resource))
    }

    fn resolve_secret(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        secret: &SecretReference,
    ) -> Result<(), StartFailure> {
        if secret.value_from.contains(":secretsmanager:") {
            self.secrets_manager(caller, place, &secret.value_from)
        } else {
            self.parameter_store(caller, place, &secret.value_from)
        }
    }

    fn secrets_manager(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        value_from: &str,
    ) -> Result<(), StartFailure> {
        let parts: Vec<&str> = value_from.splitn(8, ':').collect();
        let arn = parts.iter().take(7).copied().collect::<Vec<_>>().join(":");
        let key = parts
            .get(7)
            .and_then(|rest| rest.split(':').next())
            .filter(|key| !key.is_empty());
        if !self.reaches_aws(place, "secretsmanager") {
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration. failed to fetch secret {arn} from secrets manager: operation error Secrets Manager: GetSecretValue, https response error StatusCode: 0, RequestID: , canceled, context deadline exceeded"
            )));
        }
        let action = "secretsmanager:GetSecretValue";
        if !self.may(caller, action, &arn) {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: AccessDeniedException: User: {} is not authorized to perform: {action} on resource: {arn} because no identity-based policy allows the {action} action status code: 400, request id: {}",
                caller.session,
                self.request_id(caller)
            )));
        }
        let found = self.region.secrets.values().find(|secret| {
            secret.deleted_at.is_none()
                && (secret.arn == arn
                    || secret
                        .arn
                        .rsplit_once('-')
                        .is_some_and(|(partial, _)| partial == arn))
        });
        let Some(found) = found else {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): ResourceNotFoundException: The task can't retrieve the secret with ARN '{arn}' from AWS Secrets Manager. Check whether the secret exists in the specified Region. failed to fetch secret {arn} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
            )));
        };
        match key {
            Some(key) if !found.json_keys.iter().any(|k| k == key) => {
                Err(StartFailure::at_once(format!(
                    "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key {key}"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn parameter_store(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        value_from: &str,
    ) -> Result<(), StartFailure> {
        let name = value_from
            .split_once(":parameter")
            .map_or(value_from, |(_, name)| name);
        let resource = self.region.arn(
            "ssm",
            &format!("parameter/{}", name.trim_start_matches('/')),
        );
        let failed = "execution resource retrieval failed: unable to retrieve secrets from ssm: ";
        if !self.reaches_aws(place, "ssm") {
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}{failed}The task cannot pull secrets from AWS Systems Manager. There is a connection issue between the task and AWS Systems Manager Parameter Store. Check your task network configuration. : signal: killed"
            )));
        }
        if !self.may(caller, "ssm:GetParameters", &resource) {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}{failed}service call has been retried 1 time(s): operation error SSM: GetParameters, https response error StatusCode: 400, RequestID: {}, api error AccessDeniedException: User: {} is not authorized to perform: ssm:GetParameters on resource: {resource} because no identity-based policy allows the ssm:GetParameters action",
                self.request_id(caller),
                caller.session
            )));
        }
        let exists = self
            .region
            .parameters
            .keys()
            .any(|existing| existing.trim_start_matches('/') == name.trim_start_matches('/'));
        if exists {
            Ok(())
        } else {
            Err(StartFailure::at_once(format!(
                "{INITIALIZATION}{failed}service call has been retried 1 time(s): fetching secret data from SSM Parameter Store in {}: invalid parameters: {name}",
                self.region.name
            )))
        }
    }

    fn registry_auth(&self, caller: &Caller<'_>, place: Place<'_>) -> Result<(), StartFailure> {
        if !self.reaches_aws(place, "ecr.api") {
            let region = &self.region.name;
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://api.ecr.{region}.amazonaws.com/\": dial tcp 198.51.100.44:443: i/o timeout"
            )));
        }
        let action = "ecr:GetAuthorizationToken";
        if self.may(caller, action, "*") {
            return Ok(());
        }
        Err(StartFailure::at_once(format!(
            "{INITIALIZATION}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): operation error ECR: GetAuthorizationToken, https response error StatusCode: 400, RequestID: {}, api error AccessDeniedException: User: {} is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action",
            self.request_id(caller),
            caller.session
        )))
    }

    fn pull(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        spec: &TaskSpec,
        container: &ContainerDefinition,
    ) -> Result<PulledImage, StartFailure> {
        let image = &container.image;
        let failed = |mut failure: StartFailure| {
            failure.container = Some((container.name.clone(), failure.reason.clone()));
            failure
        };
        let Some(path) = image.strip_prefix(&format!("{}/", self.region.registry_host())) else {
            return self.pull_elsewhere(place, image).map_err(failed);
        };
        let (name, tag) = split_reference(path);
        let repository = format!("repository/{name}");
        let resource = self.region.arn("ecr", &repository);
        if !self.reaches_aws(place, "ecr.dkr") {
            return Err(failed(StartFailure::after_time_out(format!(
                "CannotPullContainerError: The task cannot pull {image} from the Amazon ECR repository {name}. There is a connection issue between the task and Amazon ECR. Check your task network configuration. : failed to resolve ref {image}: failed to do request: Head \"https://{}/v2/{name}/manifests/{tag}\": dial tcp 198.51.100.45:443: i/o timeout",
                self.region.registry_host()
            ))));
        }
        for action in ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] {
            if !self.may(caller, action, &resource) {
                return Err(failed(StartFailure::at_once(format!(
                    "CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull images from the registry. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: unexpected status from HEAD request to https://{}/v2/{name}/manifests/{tag}: 403 Forbidden: User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action",
                    self.region.registry_host(),
                    caller.session
                ))));
            }
        }
        let Some(repository) = self.region.repositories.get(name) else {
            return Err(failed(StartFailure::at_once(format!(
                "CannotPullContainerError: The task can’t pull the image. Check whether the image exists. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed: name unknown: The repository with name '{name}' does not exist in the registry with id '{}'",
                self.account.id
            ))));
        };
        let found = if tag.starts_with("sha256:") {
            repository.images.get(tag)
        } else {
            repository.tagged(tag)
        };
        let Some(found) = found else {
            return Err(failed(StartFailure::at_once(format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: not found"
            ))));
        };
        if !self.reaches_aws(place, "s3") {
            return Err(failed(StartFailure::after_time_out(format!(
                "CannotPullContainerError: The task cannot pull {image} from the registry {image}. There is a connection issue between the task and the registry. Check your task network configuration. : failed to copy: httpReadSeeker: failed open: failed to do request: Get {image}: dial tcp 198.51.100.46:443: i/o timeout"
            ))));
        }
        check_platform(found, spec).map_err(failed)?;
        Ok(PulledImage {
            digest: Some(found.digest.clone()),
            app: Arc::new(found.app.clone()),
        })
    }

    /// A public image: the lab knows no public registry's content, so it only asks for a way there.
    fn pull_elsewhere(&self, place: Place<'_>, image: &str) -> Result<PulledImage, StartFailure> {
        let host = image
            .split_once('/')
            .map_or("registry-1.docker.io", |(host, _)| host);
        let foreign = host.contains(".dkr.ecr.");
        if !self.reaches_host(place, host, 443) {
            return Err(StartFailure::after_time_out(format!(
                "CannotPullContainerError: The task cannot pull {image} from the registry {host}. There is a connection issue between the task and the registry. Check your task network configuration. : failed to do request: dial tcp 198.51.100.47:443: i/o timeout"
            )));
        }
        if foreign || !host.contains('.') || host == "registry-1.docker.io" {
            return Err(StartFailure::at_once(format!(
                "CannotPullContainerError: The task can’t pull the image. Check whether the image exists. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
            )));
        }
        Ok(PulledImage {
            digest: None,
            app: Arc::new(AppBehaviour::default()),
        })
    }

    fn log_driver(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        launch_type: LaunchType,
        container: &ContainerDefinition,
    ) -> Result<(), StartFailure> {
        let Some(log) = container
            .log_configuration
            .as_ref()
            .filter(|l| l.log_driver == "awslogs")
        else {
            return Ok(());
        };
        let group = log
            .options
            .get("awslogs-group")
            .map(String::as_str)
            .unwrap_or_default();
        if !self.reaches_aws(place, "logs") {
            return Err(StartFailure::after_time_out(
                "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed".to_owned(),
            ));
        }
        let resource = self
            .region
            .arn("logs", &format!("log-group:{group}:log-stream:*"));
        let problem = if !self.may(caller, "logs:CreateLogStream", &resource) {
            format!(
                "AccessDeniedException: User: {} is not authorized to perform: logs:CreateLogStream on resource: {resource} because no identity-based policy allows the logs:CreateLogStream action",
                caller.session
            )
        } else if self.region.log_groups.contains_key(group)
            || log
                .options
                .get("awslogs-create-group")
                .is_some_and(|v| v == "true")
        {
            return Ok(());
        } else {
            "ResourceNotFoundException: The specified log group does not exist.".to_owned()
        };
        let reason = match launch_type {
            LaunchType::Fargate => format!(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: {problem} : exit status 1"
            ),
            LaunchType::Ec2 => format!(
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: {problem}"
            ),
        };
        let mut failure = StartFailure::at_once(reason.clone());
        if launch_type == LaunchType::Ec2 {
            failure.container = Some((container.name.clone(), reason));
        }
        Err(failure)
    }

    /// Looks like a request id, and is the same in each run.
    fn request_id(&self, caller: &Caller<'_>) -> String {
        let hex = self.region.ids.child(caller.session).hex(32);
        crate::world::uuid_shaped(&hex)
    }
}

/// Who asks: the execution role, as the session that the task has of it.
struct Caller<'a> {
    role: Option<&'a Role>,
    session: &'a str,
}

/// `name` and tag or digest of `name`, `name:tag` or `name@sha256:...`.
fn split_reference(path: &str) -> (&str, &str) {
    path.split_once('@')
        .or_else(|| path.rsplit_once(':'))
        .unwrap_or((path, "latest"))
}

fn check_platform(image: &Image, spec: &TaskSpec) -> Result<(), StartFailure> {
    let wanted = spec.architecture();
    if image.manifest_list && !image.architectures.contains(&wanted) {
        return Err(StartFailure::at_once(format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/{}'",
            wanted.oci()
        )));
    }
    Ok(())
}
