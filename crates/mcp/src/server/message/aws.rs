//! The tools of awslabs' `ecs-mcp-server`: the same names and arguments.
//!
//! Names, arguments and which of them are required are those that version 0.1.37 lists, and 0.1.3
//! for the three tools that were dropped since. The words are ours.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ScanParams;
use crate::server::backend::BackendError;

/// Arguments of `containerize_app`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerizeParams {
    /// Absolute path of the application's directory.
    pub app_path: String,
    /// The port that the application listens on.
    pub port: u16,
}

/// Arguments of `build_and_push_image_to_ecr`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildImageParams {
    /// Name of the application: the repository and the stack are named after it.
    pub app_name: String,
    /// Absolute path of the directory with the Dockerfile.
    pub app_path: String,
    /// The image's tag; the current time in seconds unless told.
    #[serde(default)]
    pub tag: Option<String>,
}

/// Arguments of `validate_ecs_express_mode_prerequisites`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrerequisitesParams {
    /// The whole reference of the image, with tag or digest.
    pub image_uri: String,
    /// ARN of the task execution role; `ecsTaskExecutionRole` unless told.
    #[serde(default)]
    pub execution_role_arn: Option<String>,
    /// ARN of the infrastructure role; `ecsInfrastructureRoleForExpressServices` unless told.
    #[serde(default)]
    pub infrastructure_role_arn: Option<String>,
}

/// Arguments of `delete_app`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteAppParams {
    /// ARN of the Express Gateway service.
    pub service_arn: String,
    /// Name of the application: its stack is named after it.
    pub app_name: String,
}

/// Arguments of `wait_for_service_ready`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForServiceParams {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service_name: String,
    /// Longest wait in seconds.
    #[serde(default = "five_minutes")]
    pub timeout_seconds: u32,
}

fn five_minutes() -> u32 {
    300
}

/// Arguments of `ecs_resource_management`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceManagementParams {
    /// The operation of the ECS API, such as `DescribeServices`.
    pub api_operation: String,
    /// Its parameters, under the names that the API gives them.
    #[serde(default)]
    pub api_params: Map<String, Value>,
}

/// Arguments of `get_deployment_status`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentStatusParams {
    /// Name of the application.
    pub app_name: String,
    /// Name of the cluster; `APP-cluster` unless told.
    #[serde(default)]
    pub cluster_name: Option<String>,
    /// Name of the stack; `APP-ecs-infrastructure` or `APP-ecs` unless told.
    #[serde(default)]
    pub stack_name: Option<String>,
    /// Name of the service; `APP-service` unless told.
    #[serde(default)]
    pub service_name: Option<String>,
}

/// Arguments of `create_ecs_infrastructure`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInfrastructureParams {
    /// Name of the application.
    pub app_name: String,
    /// Absolute path of the application's directory.
    pub app_path: String,
    /// Has no effect here: a person runs the commands.
    #[serde(default)]
    pub force_deploy: bool,
    /// Which commands are wanted: 1 the repository, 2 the image, 3 the service; all unless told.
    #[serde(default)]
    pub deployment_step: Option<u8>,
    /// The VPC.
    #[serde(default)]
    pub vpc_id: Option<String>,
    /// Its subnets, in two availability zones at least.
    #[serde(default)]
    pub subnet_ids: Option<Vec<String>>,
    /// Its route tables; not needed by the template, which makes no endpoint.
    #[serde(default)]
    pub route_table_ids: Option<Vec<String>>,
    /// CPU units of a task: 256, 512, 1024 and so on.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Memory of a task in MiB.
    #[serde(default)]
    pub memory: Option<u32>,
    /// How many tasks.
    #[serde(default)]
    pub desired_count: Option<u32>,
    /// The port that the container listens on.
    #[serde(default)]
    pub container_port: Option<u16>,
    /// The path that the load balancer checks.
    #[serde(default)]
    pub health_check_path: Option<String>,
}

/// Arguments of `delete_ecs_infrastructure`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteInfrastructureParams {
    /// Name of the application.
    pub app_name: String,
    /// Path of the repository's template; only shown.
    #[serde(default)]
    pub ecr_template_path: Option<String>,
    /// Path of the service's template; only shown.
    #[serde(default)]
    pub ecs_template_path: Option<String>,
}

/// A name that CloudFormation and ECR take as part of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppName(String);

impl AppName {
    /// Reads a name of 1 to 20 lower-case letters, digits and hyphens, a letter first.
    ///
    /// # Errors
    /// [`BackendError`] says what a name is.
    pub fn parse(name: &str) -> Result<Self, BackendError> {
        let fits = (1..=20).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-')
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(Self(name.to_owned()));
        }
        Err(BackendError::new(
            "`app_name` must be 1 to 20 lower-case letters, digits and hyphens, and begin with a letter",
        ))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Arguments of `ecs_troubleshooting_tool`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TroubleshootingParams {
    /// What to find out.
    #[serde(default)]
    pub action: Action,
    /// What the action takes; its description lists it.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
}

/// What `ecs_troubleshooting_tool` finds out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The first look at a cluster or service, with a diagnosis.
    #[default]
    GetEcsTroubleshootingGuidance,
    /// A stack, its resources, its failures.
    FetchCloudformationStatus,
    /// A service's events, deployment and load balancer.
    FetchServiceEvents,
    /// Which tasks stopped, and what ended each.
    FetchTaskFailures,
    /// Log lines of tasks.
    FetchTaskLogs,
    /// Images that cannot be pulled.
    DetectImagePullFailures,
    /// The network that tasks run in.
    FetchNetworkConfiguration,
}

/// Parameters of `get_ecs_troubleshooting_guidance`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidanceParams {
    /// Name or ARN of the cluster.
    pub ecs_cluster_name: String,
    /// Name or ARN of the service.
    #[serde(default)]
    pub ecs_service_name: Option<String>,
    /// What the person sees.
    #[serde(default)]
    pub symptoms_description: Option<String>,
}

/// Parameters of `fetch_cloudformation_status`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackParams {
    /// Name or ARN of the stack.
    pub cfn_stack_name: String,
}

/// Parameters of `fetch_service_events`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEventsParams {
    /// Name or ARN of the cluster.
    pub ecs_cluster_name: String,
    /// Name or ARN of the service.
    pub ecs_service_name: String,
    /// How many seconds back.
    #[serde(default)]
    pub time_window: Option<u64>,
    /// From when.
    #[serde(default)]
    pub start_time: Option<String>,
    /// Until when.
    #[serde(default)]
    pub end_time: Option<String>,
}

/// Parameters of `fetch_task_failures`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskFailuresParams {
    /// Name or ARN of the cluster.
    pub ecs_cluster_name: String,
    /// How many seconds back.
    #[serde(default)]
    pub time_window: Option<u64>,
    /// From when.
    #[serde(default)]
    pub start_time: Option<String>,
    /// Until when.
    #[serde(default)]
    pub end_time: Option<String>,
}

/// Parameters of `fetch_task_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskLogsParams {
    /// Name or ARN of the cluster.
    pub ecs_cluster_name: String,
    /// Id or ARN of one task.
    #[serde(default)]
    pub ecs_task_id: Option<String>,
    /// A filter pattern of CloudWatch Logs.
    #[serde(default)]
    pub filter_pattern: Option<String>,
    /// How many seconds back.
    #[serde(default)]
    pub time_window: Option<u64>,
    /// From when.
    #[serde(default)]
    pub start_time: Option<String>,
    /// Until when.
    #[serde(default)]
    pub end_time: Option<String>,
}

/// Parameters of `detect_image_pull_failures`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePullParams {
    /// Name or ARN of the cluster.
    #[serde(default)]
    pub ecs_cluster_name: Option<String>,
    /// Name or ARN of the service; needs the cluster.
    #[serde(default)]
    pub ecs_service_name: Option<String>,
    /// Name or ARN of a stack.
    #[serde(default)]
    pub cfn_stack_name: Option<String>,
    /// How the families of task definitions begin.
    #[serde(default)]
    pub family_prefix: Option<String>,
    /// Id or ARN of a task; needs the cluster.
    #[serde(default)]
    pub ecs_task_id: Option<String>,
}

/// Parameters of `fetch_network_configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// Name or ARN of the cluster.
    pub ecs_cluster_name: String,
    /// A VPC to look at instead of the cluster's own.
    #[serde(default)]
    pub vpc_id: Option<String>,
}

/// What is asked of an account, whichever tool it came by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EcsQuestion {
    /// How to put an application into a container.
    Containerize(ContainerizeParams),
    /// How to build and push its image.
    BuildImage(BuildImageParams),
    /// Whether image and roles are there.
    Prerequisites(PrerequisitesParams),
    /// How to delete an application.
    DeleteApp(DeleteAppParams),
    /// Until a service is ready.
    WaitForService(WaitForServiceParams),
    /// One operation of the ECS API.
    Resource(ResourceManagementParams),
    /// How far an application's deployment is.
    DeploymentStatus(DeploymentStatusParams),
    /// How to make an application's infrastructure.
    CreateInfrastructure(CreateInfrastructureParams),
    /// How to delete it.
    DeleteInfrastructure(DeleteInfrastructureParams),
    /// A first look.
    Guidance(GuidanceParams),
    /// A stack.
    Stack(StackParams),
    /// A service's events.
    ServiceEvents(ServiceEventsParams),
    /// Tasks that stopped.
    TaskFailures(TaskFailuresParams),
    /// Log lines.
    TaskLogs(TaskLogsParams),
    /// Images.
    Images(ImagePullParams),
    /// The network.
    Network(NetworkParams),
    /// Which services are unwell.
    Scan(ScanParams),
}

/// Reads the parameters of an action of `ecs_troubleshooting_tool`.
///
/// # Errors
/// [`BackendError`] names the parameter that is missing or not one of the action's.
pub(crate) fn question(params: TroubleshootingParams) -> Result<EcsQuestion, BackendError> {
    let given = params.parameters.unwrap_or_default();
    let action = params.action;
    Ok(match action {
        Action::GetEcsTroubleshootingGuidance => EcsQuestion::Guidance(parse(action, given)?),
        Action::FetchCloudformationStatus => EcsQuestion::Stack(parse(action, given)?),
        Action::FetchServiceEvents => EcsQuestion::ServiceEvents(parse(action, given)?),
        Action::FetchTaskFailures => EcsQuestion::TaskFailures(parse(action, given)?),
        Action::FetchTaskLogs => EcsQuestion::TaskLogs(parse(action, given)?),
        Action::DetectImagePullFailures => EcsQuestion::Images(parse(action, given)?),
        Action::FetchNetworkConfiguration => EcsQuestion::Network(parse(action, given)?),
    })
}

fn parse<T: DeserializeOwned>(
    action: Action,
    given: Map<String, Value>,
) -> Result<T, BackendError> {
    serde_json::from_value(Value::Object(given)).map_err(|error| {
        let action = serde_json::to_value(action).unwrap_or_default();
        let action = action.as_str().unwrap_or_default().to_owned();
        BackendError::new(format!("`parameters` do not fit {action}: {error}"))
    })
}
