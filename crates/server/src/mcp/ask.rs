//! A single question, asked as an invocation of its own under a policy of its own.

use std::time::Duration;

use ecs_agent_core::{InvocationSettings, Timer};
use ecs_agent_credentials::{
    Cell, CellError, ClearGuard, CredentialContext, InvocationId, PolicyError, ScopeRequest,
    SourceError, Sources,
};
use ecs_agent_ecs::inspect::{
    self, AppQuery, EcsOperation, ImagesOf, InfrastructureQuery, InspectError, Inspection,
    LogQuery, PrerequisiteQuery, Readiness, TimeWindow, WindowError,
};
use ecs_agent_ecs::{
    AwsClients, AwsError, Catalogue, CatalogueError, ClientsError, ObserveOptions, ServiceTarget,
};
use ecs_agent_mcp::{AppName, BackendError, EcsQuestion, ImagePullParams, Progress};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Services of a scan unless told.
const DEFAULT_SERVICES: u32 = 20;
/// Most services of a scan.
const MOST_SERVICES: u32 = 100;
/// Longest wait for a service.
const LONGEST_WAIT_SECONDS: u32 = 3600;
/// Time between two looks at a service that is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// An answer: an object, as the protocol wants its structured content.
pub(super) type Answer = Map<String, Value>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The arguments do not fit, as the tools' own words say.
    #[error(transparent)]
    Arguments(#[from] BackendError),
    /// The question does not fit, or AWS refused or failed.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The operator turned log text off.
    #[error("log text may not be read here: `allow_sensitive_data` is off")]
    LogsOff,
    /// The credentials could not be resolved.
    #[error("the credentials could not be opened")]
    Source(#[from] SourceError),
    /// No client could be made from them.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The policy of the question could not be made.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The catalogue could not be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The answer could not be written.
    #[error("the answer cannot be written")]
    Unwritten(#[from] serde_json::Error),
    /// The call was cut off.
    #[error(transparent)]
    Cell(#[from] CellError),
}

impl From<AwsError> for AskError {
    fn from(error: AwsError) -> Self {
        Self::Inspect(error.into())
    }
}

impl From<WindowError> for AskError {
    fn from(error: WindowError) -> Self {
        Self::Inspect(error.into())
    }
}

/// Answers a question: own cell, own context, own session policy, cleared whatever happens.
///
/// # Errors
/// [`AskError`] says what does not fit or what AWS said.
///
/// # Cancel safety
/// Dropping the future ends the cell and clears the context.
pub(super) async fn ask(
    settings: InvocationSettings,
    sources: Sources,
    question: EcsQuestion,
    progress: Progress,
    cancel: CancellationToken,
) -> Result<Answer, AskError> {
    let region = settings.region.as_ref().map(ToString::to_string);
    let inspection = match plain(&question, region.as_deref())? {
        Plain::Answered(answer) => return Ok(answer),
        Plain::Ask(inspection) => inspection,
    };
    let logs = settings.permissions.allow_sensitive_data;
    if matches!(question, EcsQuestion::TaskLogs(_)) && !logs {
        return Err(AskError::LogsOff);
    }
    let invocation = InvocationId::new(Uuid::now_v7());
    Cell::run(&invocation.to_string(), cancel, move || async move {
        let timer = settings.timer;
        let context = CredentialContext::guarded(
            invocation,
            settings.region,
            settings.endpoints,
            settings.leak_guard,
        );
        let _clear = ClearGuard::new(context.clone());
        let scope = ScopeRequest::observe(inspection.policy()?);
        sources.fill(&context, &settings.reference, scope).await?;
        let clients = AwsClients::new(&context)?;
        let options = ObserveOptions {
            read_logs: logs,
            ..ObserveOptions::default()
        };
        answer(&clients, &question, &*timer, options, &progress).await
    })
    .await?
}

/// What a question needs.
enum Plain {
    /// Nothing: here is the answer.
    Answered(Answer),
    /// Reads of AWS.
    Ask(Inspection),
}

/// Answers what needs no AWS, and finds out what the rest needs. Nothing was opened so far.
fn plain(question: &EcsQuestion, region: Option<&str>) -> Result<Plain, AskError> {
    Ok(match question {
        EcsQuestion::Containerize(params) => {
            Plain::Answered(inspect::containerize(&params.app_path, params.port))
        }
        EcsQuestion::BuildImage(params) => {
            let app = AppName::parse(&params.app_name)?;
            let tag = params.tag.as_deref();
            Plain::Answered(inspect::build_image(
                app.as_str(),
                &params.app_path,
                tag,
                region,
            ))
        }
        EcsQuestion::DeleteApp(params) => {
            let app = AppName::parse(&params.app_name)?;
            Plain::Answered(inspect::delete_app(
                &params.service_arn,
                app.as_str(),
                region,
            ))
        }
        EcsQuestion::CreateInfrastructure(params) => {
            let app = AppName::parse(&params.app_name)?;
            let query = InfrastructureQuery {
                app: app.as_str(),
                path: &params.app_path,
                vpc: params.vpc_id.as_deref(),
                subnets: params.subnet_ids.as_deref().unwrap_or_default(),
                cpu: params.cpu,
                memory: params.memory,
                desired_count: params.desired_count,
                port: params.container_port,
                health_check_path: params.health_check_path.as_deref(),
            };
            Plain::Answered(inspect::create_infrastructure(query, region))
        }
        EcsQuestion::DeleteInfrastructure(params) => {
            let app = AppName::parse(&params.app_name)?;
            Plain::Answered(inspect::delete_infrastructure(app.as_str(), region))
        }
        EcsQuestion::Resource(params) => match EcsOperation::named(&params.api_operation)? {
            EcsOperation::Read(read) => {
                read.check(&params.api_params)?;
                Plain::Ask(Inspection::EcsRead(read))
            }
            EcsOperation::Write(operation) => {
                let command = inspect::ecs_command(operation, &params.api_params, region);
                let refusal = json!({
                    "status": "for_a_person",
                    "error": format!("{operation} writes: it is not made by this tool"),
                    "message": "a person reads the command and runs it, or not; what repairs an unwell service is \
                        planned by `ecs-deep-agent run` and carried out once a person approved it",
                    "commands": [command],
                });
                Plain::Answered(object(&refusal)?)
            }
        },
        EcsQuestion::WaitForService(params) => {
            if !(1..=LONGEST_WAIT_SECONDS).contains(&params.timeout_seconds) {
                let words = format!("`timeout_seconds` must be 1 to {LONGEST_WAIT_SECONDS}");
                return Err(BackendError::new(words).into());
            }
            Plain::Ask(Inspection::Readiness)
        }
        EcsQuestion::Images(params) => {
            images_of(params)?;
            Plain::Ask(Inspection::ImageFailures)
        }
        EcsQuestion::Prerequisites(_) => Plain::Ask(Inspection::Prerequisites),
        EcsQuestion::DeploymentStatus(_) => Plain::Ask(Inspection::DeploymentStatus),
        EcsQuestion::Guidance(_) => Plain::Ask(Inspection::Guidance),
        EcsQuestion::Stack(_) => Plain::Ask(Inspection::StackStatus),
        EcsQuestion::ServiceEvents(_) => Plain::Ask(Inspection::ServiceEvents),
        EcsQuestion::TaskFailures(_) => Plain::Ask(Inspection::TaskFailures),
        EcsQuestion::TaskLogs(_) => Plain::Ask(Inspection::TaskLogs),
        EcsQuestion::Network(_) => Plain::Ask(Inspection::NetworkConfiguration),
        EcsQuestion::Scan(_) => Plain::Ask(Inspection::Scan),
        _ => return Err(BackendError::new("this program does not know the question").into()),
    })
}

async fn answer(
    clients: &AwsClients,
    question: &EcsQuestion,
    timer: &dyn Timer,
    options: ObserveOptions,
    progress: &Progress,
) -> Result<Answer, AskError> {
    let window = |seconds: Option<u64>, start: &Option<String>, end: &Option<String>| {
        TimeWindow::new(timer.now(), seconds, start.as_deref(), end.as_deref())
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what needs no AWS was answered before, and the enum may grow"
    )]
    match question {
        EcsQuestion::Guidance(params) => {
            let catalogue = Catalogue::embedded()?;
            let (service, symptoms) = (
                params.ecs_service_name.as_deref(),
                params.symptoms_description.as_deref(),
            );
            let cluster = &params.ecs_cluster_name;
            let told =
                inspect::guidance(clients, &catalogue, cluster, service, symptoms, options).await?;
            object(&told)
        }
        EcsQuestion::Stack(params) => {
            object(&inspect::stack_status(clients, &params.cfn_stack_name).await?)
        }
        EcsQuestion::ServiceEvents(params) => {
            let target = ServiceTarget::new(&params.ecs_cluster_name, &params.ecs_service_name);
            let window = window(params.time_window, &params.start_time, &params.end_time)?;
            object(&inspect::service_events(clients, &target, window).await?)
        }
        EcsQuestion::TaskFailures(params) => {
            let window = window(params.time_window, &params.start_time, &params.end_time)?;
            object(&inspect::task_failures(clients, &params.ecs_cluster_name, window).await?)
        }
        EcsQuestion::TaskLogs(params) => {
            let query = LogQuery {
                cluster: &params.ecs_cluster_name,
                task: params.ecs_task_id.as_deref(),
                filter_pattern: params.filter_pattern.as_deref(),
                window: window(params.time_window, &params.start_time, &params.end_time)?,
            };
            object(&inspect::task_logs(clients, query).await?)
        }
        EcsQuestion::Images(params) => {
            object(&inspect::image_failures(clients, images_of(params)?).await?)
        }
        EcsQuestion::Network(params) => {
            let (cluster, vpc) = (&params.ecs_cluster_name, params.vpc_id.as_deref());
            object(&inspect::network_configuration(clients, cluster, vpc).await?)
        }
        EcsQuestion::Prerequisites(params) => {
            let query = PrerequisiteQuery {
                image: &params.image_uri,
                execution_role: params.execution_role_arn.as_deref(),
                infrastructure_role: params.infrastructure_role_arn.as_deref(),
            };
            object(&inspect::prerequisites(clients, query).await?)
        }
        EcsQuestion::DeploymentStatus(params) => {
            let query = AppQuery {
                app: &params.app_name,
                cluster: params.cluster_name.as_deref(),
                stack: params.stack_name.as_deref(),
                service: params.service_name.as_deref(),
            };
            object(&inspect::deployment_status(clients, query).await?)
        }
        EcsQuestion::Resource(params) => {
            let EcsOperation::Read(read) = EcsOperation::named(&params.api_operation)? else {
                return Err(BackendError::new("the operation writes").into());
            };
            object(&inspect::ecs_read(clients, read, &params.api_params).await?)
        }
        EcsQuestion::Scan(params) => {
            let catalogue = Catalogue::embedded()?;
            let most = params
                .limit
                .unwrap_or(DEFAULT_SERVICES)
                .clamp(1, MOST_SERVICES);
            let told = |done: usize, total: usize, service: &str| {
                let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
                progress.tell(count(done), Some(count(total)), service);
            };
            let cluster = params.cluster.as_deref();
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            object(&inspect::scan(clients, &catalogue, cluster, most, options, told).await?)
        }
        EcsQuestion::WaitForService(params) => {
            let target = ServiceTarget::new(&params.cluster, &params.service_name);
            let patience = Duration::from_secs(params.timeout_seconds.into());
            wait(clients, &target, patience, timer, progress).await
        }
        _ => Err(BackendError::new("this program does not know the question").into()),
    }
}

/// Looks at a service until it is ready, failed or absent, or the time is over.
async fn wait(
    clients: &AwsClients,
    target: &ServiceTarget,
    patience: Duration,
    timer: &dyn Timer,
    progress: &Progress,
) -> Result<Answer, AskError> {
    let mut waited = Duration::ZERO;
    let mut looks = 0;
    loop {
        let readiness = inspect::readiness(clients, target).await?;
        looks += 1;
        progress.tell(looks, None, readiness.words());
        let status = match &readiness {
            Readiness::Ready { .. } => "success",
            Readiness::Failed { .. } | Readiness::Absent => "failed",
            Readiness::Waiting { .. } if waited >= patience => "timeout",
            Readiness::Waiting { .. } => {
                let pause = LOOK_EVERY.min(patience.saturating_sub(waited));
                timer.sleep(pause).await;
                waited += pause;
                continue;
            }
        };
        return object(&json!({
            "status": status,
            "message": readiness.words(),
            "service": target.to_string(),
            "readiness": readiness,
            "waited_seconds": waited.as_secs(),
        }));
    }
}

/// Which images are meant: one way to name them, and one only.
fn images_of(params: &ImagePullParams) -> Result<ImagesOf<'_>, BackendError> {
    let given = (
        params.ecs_cluster_name.as_deref(),
        params.ecs_service_name.as_deref(),
        params.ecs_task_id.as_deref(),
        params.cfn_stack_name.as_deref(),
        params.family_prefix.as_deref(),
    );
    match given {
        (Some(cluster), Some(service), None, None, None) => {
            Ok(ImagesOf::Service { cluster, service })
        }
        (Some(cluster), None, Some(task), None, None) => Ok(ImagesOf::Task { cluster, task }),
        (None, None, None, Some(stack), None) => Ok(ImagesOf::Stack(stack)),
        (None, None, None, None, Some(prefix)) => Ok(ImagesOf::FamilyPrefix(prefix)),
        _ => Err(BackendError::new(
            "`parameters` must name the images in one way: ecs_cluster_name with ecs_service_name, \
             ecs_cluster_name with ecs_task_id, cfn_stack_name, or family_prefix",
        )),
    }
}

fn object<T: Serialize>(answer: &T) -> Result<Answer, AskError> {
    Ok(match serde_json::to_value(answer)? {
        Value::Object(fields) => fields,
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => [("answer".to_owned(), other)].into_iter().collect(),
    })
}
