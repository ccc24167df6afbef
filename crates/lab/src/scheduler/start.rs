//! Whether a task can be started: secrets, registry, image, log driver, in the order ECS meets them.
//! What is injected into its containers is in `injection`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Tick;
use super::reachability::Place;
use crate::world::{
    AppBehaviour, ContainerDefinition, Image, LaunchType, LogGroup, Role, TaskSpec, not_allowed,
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
    pub(super) fn at_once(reason: String) -> Self {
        Self {
            reason,
            container: None,
            timed_out: false,
        }
    }

    pub(super) fn after_time_out(reason: String) -> Self {
        Self {
            reason,
            container: None,
            timed_out: true,
        }
    }
}

pub(super) const INITIALIZATION: &str =
    "ResourceInitializationError: unable to pull secrets or registry auth: ";

impl Tick<'_> {
    /// Goes through everything between PENDING and the first process.
    pub(super) fn start(
        &self,
        spec: &TaskSpec,
        launch_type: LaunchType,
        task_id: &str,
        place: Place<'_>,
        pinned: &BTreeMap<String, String>,
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
        for container in &spec.container_definitions {
            for file in &container.environment_files {
                self.environment_file(&caller, place, &file.value)?;
            }
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
            images.push(self.pull(&caller, place, spec, container, pinned)?);
        }
        for container in &spec.container_definitions {
            self.log_driver(&caller, place, launch_type, container)?;
        }
        Ok(images)
    }

    /// Why the caller may not do this, in IAM's words.
    pub(super) fn refusal(
        &self,
        caller: &Caller<'_>,
        action: &str,
        resource: &str,
    ) -> Option<String> {
        match caller.role {
            Some(role) => self.account.refuses(role, action, resource),
            None => Some(not_allowed(action)),
        }
    }

    fn registry_auth(&self, caller: &Caller<'_>, place: Place<'_>) -> Result<(), StartFailure> {
        self.resolve_aws(place, "api.ecr", "The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, ")?;
        if !self.reaches_aws(place, "ecr.api") {
            let region = &self.region.name;
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://api.ecr.{region}.amazonaws.com/\": dial tcp 198.51.100.44:443: i/o timeout"
            )));
        }
        let action = "ecr:GetAuthorizationToken";
        let Some(because) = self.refusal(caller, action, "*") else {
            return Ok(());
        };
        Err(StartFailure::at_once(format!(
            "{INITIALIZATION}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): operation error ECR: GetAuthorizationToken, https response error StatusCode: 400, RequestID: {}, api error AccessDeniedException: User: {} is not authorized to perform: {action} on resource: * {because}",
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
        pinned: &BTreeMap<String, String>,
    ) -> Result<PulledImage, StartFailure> {
        let image = &container.image;
        let failed = |mut failure: StartFailure| {
            failure.container = Some((container.name.clone(), failure.reason.clone()));
            failure
        };
        let Some(path) = image.strip_prefix(&format!("{}/", self.region.registry_host())) else {
            return self.pull_elsewhere(caller, place, image).map_err(failed);
        };
        let (name, tag) = split_reference(path);
        // Version consistency: what the tag named when the deployment began is what is pulled.
        let pin = pinned.get(&container.name).filter(|pin| *pin != tag);
        let reference = match pin {
            Some(digest) => format!("{}/{name}@{digest}", self.region.registry_host()),
            None => image.clone(),
        };
        let tag = pin.map_or(tag, String::as_str);
        let repository = format!("repository/{name}");
        let resource = self.region.arn("ecr", &repository);
        if !self.reaches_aws(place, "ecr.dkr") {
            return Err(failed(StartFailure::after_time_out(format!(
                "CannotPullContainerError: The task cannot pull {image} from the Amazon ECR repository {name}. There is a connection issue between the task and Amazon ECR. Check your task network configuration. : failed to resolve ref {image}: failed to do request: Head \"https://{}/v2/{name}/manifests/{tag}\": dial tcp 198.51.100.45:443: i/o timeout",
                self.region.registry_host()
            ))));
        }
        for action in ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] {
            if let Some(because) = self.refusal(caller, action, &resource) {
                return Err(failed(StartFailure::at_once(format!(
                    "CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull images from the registry. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: unexpected status from HEAD request to https://{}/v2/{name}/manifests/{tag}: 403 Forbidden: User: {} is not authorized to perform: {action} on resource: {resource} {because}",
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
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: not found"
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

    /// An image of another registry: another account's ECR, Docker Hub, or a public one.
    fn pull_elsewhere(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        image: &str,
    ) -> Result<PulledImage, StartFailure> {
        let host = match image.split_once('/') {
            Some((host, _)) if host.contains('.') => host,
            Some(_) | None => "docker.io",
        };
        if !self.reaches_host(place, host, 443) {
            return Err(StartFailure::after_time_out(format!(
                "CannotPullContainerError: The task cannot pull {image} from the registry {host}. There is a connection issue between the task and the registry. Check your task network configuration. : failed to do request: dial tcp 198.51.100.47:443: i/o timeout"
            )));
        }
        if host.contains(".dkr.ecr.") {
            return self.pull_from_other_account(caller, image);
        }
        if host == "docker.io" && self.region.troubles.docker_hub_limited {
            return Err(StartFailure::at_once(format!(
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/{image}: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit"
            )));
        }
        // A reference without a registry's name: the lab knows none of Docker Hub's private images.
        if !image.starts_with(host) {
            return Err(StartFailure::at_once(format!(
                "CannotPullContainerError: The task can’t pull the image. Check whether the image exists. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
            )));
        }
        Ok(PulledImage {
            digest: None,
            app: Arc::new(AppBehaviour::default()),
        })
    }

    fn pull_from_other_account(
        &self,
        caller: &Caller<'_>,
        image: &str,
    ) -> Result<PulledImage, StartFailure> {
        let (name, tag) = split_reference(image);
        let owner = image.split('.').next().unwrap_or_default();
        let path = name.split_once('/').map_or(name, |(_, path)| path);
        let resource = format!("arn:aws:ecr:{}:{owner}:repository/{path}", self.region.name);
        let known = self.region.foreign_repositories.get(name);
        let action = "ecr:BatchGetImage";
        let because = match self.refusal(caller, action, &resource) {
            Some(because) => Some(because),
            None if known.is_some_and(|known| known.shared) => None,
            None => Some(format!(
                "because no resource-based policy allows the {action} action"
            )),
        };
        if let Some(because) = because {
            return Err(StartFailure::at_once(format!(
                "CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull images from the registry. pull image manifest has been retried 1 time(s): failed to resolve ref {image}: unexpected status from HEAD request to https://{owner}.dkr.ecr.{}.amazonaws.com/v2/{path}/manifests/{tag}: 403 Forbidden: User: {} is not authorized to perform: {action} on resource: {resource} {because}",
                self.region.name, caller.session
            )));
        }
        let found = known.and_then(|known| known.repository.tagged(tag));
        match found {
            Some(found) => Ok(PulledImage {
                digest: None,
                app: Arc::new(found.app.clone()),
            }),
            None => Err(StartFailure::at_once(format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: not found"
            ))),
        }
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
        let exists = self.region.log_groups.contains_key(group);
        let creates = log
            .options
            .get("awslogs-create-group")
            .is_some_and(|v| v == "true");
        let group_resource = self
            .region
            .arn("logs", &format!("log-group:{group}:log-stream:"));
        let stream = "failed to create Cloudwatch log stream: ";
        let problem = if let Some(because) = self
            .refusal(caller, "logs:CreateLogGroup", &group_resource)
            .filter(|_| creates && !exists)
        {
            format!(
                "failed to create Cloudwatch log group: operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, RequestID: {}, api error AccessDeniedException: User: {} is not authorized to perform: logs:CreateLogGroup on resource: {group_resource} {because}",
                self.request_id(caller),
                caller.session
            )
        } else if let Some(because) = self.refusal(caller, "logs:CreateLogStream", &resource) {
            format!(
                "{stream}AccessDeniedException: User: {} is not authorized to perform: logs:CreateLogStream on resource: {resource} {because}",
                caller.session
            )
        } else if exists || creates {
            return Ok(());
        } else {
            format!("{stream}ResourceNotFoundException: The specified log group does not exist.")
        };
        let reason = match launch_type {
            LaunchType::Fargate => format!(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: {problem} : exit status 1"
            ),
            LaunchType::Ec2 => format!(
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: {problem}"
            ),
        };
        let mut failure = StartFailure::at_once(reason.clone());
        if launch_type == LaunchType::Ec2 {
            failure.container = Some((container.name.clone(), reason));
        }
        Err(failure)
    }

    /// Log groups that the drivers of a task create.
    pub(super) fn create_log_groups(&mut self, spec: &TaskSpec) {
        for container in &spec.container_definitions {
            let Some(log) = &container.log_configuration else {
                continue;
            };
            let creates = log
                .options
                .get("awslogs-create-group")
                .is_some_and(|v| v == "true");
            let Some(name) = log.options.get("awslogs-group").filter(|_| creates) else {
                continue;
            };
            if !self.region.log_groups.contains_key(name) {
                let group = LogGroup {
                    name: name.clone(),
                    arn: self.region.arn("logs", &format!("log-group:{name}")),
                    created_at: self.now,
                    retention_days: None,
                    streams: BTreeMap::new(),
                };
                self.region.log_groups.insert(name.clone(), group);
            }
        }
    }

    /// A VPC whose resolver is off knows no name of AWS's.
    pub(super) fn resolve_aws(
        &self,
        place: Place<'_>,
        service: &str,
        doing: &str,
    ) -> Result<(), StartFailure> {
        let host = format!("{service}.{}.amazonaws.com", self.region.name);
        if self.resolves(place, &host) {
            return Ok(());
        }
        Err(StartFailure::after_time_out(format!(
            "{INITIALIZATION}{doing}Post \"https://{host}/\": dial tcp: lookup {host} on 169.254.169.253:53: no such host"
        )))
    }

    /// Looks like a request id, and is the same in each run.
    pub(super) fn request_id(&self, caller: &Caller<'_>) -> String {
        let hex = self.region.ids.child(caller.session).hex(32);
        crate::world::uuid_shaped(&hex)
    }
}

/// Who asks: the execution role, as the session that the task has of it.
pub(super) struct Caller<'a> {
    role: Option<&'a Role>,
    pub(super) session: &'a str,
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
