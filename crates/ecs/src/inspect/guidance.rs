//! The first look at a cluster or service: what there is, what is wrong, what to look at next.

use serde::Serialize;
use serde_json::{Value, json};

use super::cluster::{self, ClusterSummary};
use super::events::primary;
use super::images::{self, ImageCheck};
use super::{InspectError, Status};
use crate::analyse::{Diagnosis, Verdict, analyse};
use crate::aws::AwsClients;
use crate::catalogue::Catalogue;
use crate::observation::{
    LoadBalancerSnapshot, Observation, ServiceSnapshot, StackSnapshot, TargetGroupSnapshot,
    TaskDefinitionSnapshot,
};
use crate::observe::{ObserveError, ObserveOptions, ServiceTarget, name_in_arn, observe};

/// What a first look says.
#[derive(Debug, Clone, Serialize)]
pub struct Guidance {
    /// Whether there is anything to say.
    pub status: Status,
    /// The assessment, in words.
    pub assessment: String,
    /// What it was read from.
    pub raw_data: GuidanceRaw,
    /// Why there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the assessment was read from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GuidanceRaw {
    /// The cluster as it was named.
    pub cluster_name: String,
    /// The service as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// What the person said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symptoms_description: Option<String>,
    /// The cluster.
    pub cluster_details: Vec<ClusterSummary>,
    /// The service, or every service of the cluster.
    pub service_details: Vec<ServiceBrief>,
    /// The stack that owns the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudformation_stack: Option<StackSnapshot>,
    /// Task definitions that the service uses, without values that may be secret.
    pub task_definitions: Vec<TaskDefinitionSnapshot>,
    /// Load balancers and target groups with their targets.
    pub load_balancers: Balancing,
    /// Every image.
    pub image_check_results: Vec<ImageCheck>,
    /// What is wrong, each with the words of AWS that show it.
    pub findings: Vec<Value>,
    /// What could not be read, and which permission is missing.
    pub not_read: Vec<Value>,
    /// What to ask next: action and parameters of this tool.
    pub next_actions: Vec<Value>,
}

/// What stands in front of the service.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Balancing {
    /// Load balancers with their listeners.
    pub load_balancers: Vec<LoadBalancerSnapshot>,
    /// Target groups with their targets.
    pub target_groups: Vec<TargetGroupSnapshot>,
}

/// A service in a few numbers, under the names that the API gives them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBrief {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// What it deploys.
    pub task_definition: String,
    /// How many tasks it wants.
    pub desired_count: i32,
    /// How many run.
    pub running_count: i32,
    /// How many start.
    pub pending_count: i32,
    /// Fargate platform version.
    pub platform_version: Option<String>,
    /// `FARGATE`, `EC2` or `EXTERNAL`.
    pub launch_type: Option<String>,
    /// Where its newest deployment stands.
    pub rollout_state: Option<String>,
    /// Why.
    pub rollout_state_reason: Option<String>,
}

impl ServiceBrief {
    fn of(service: &ServiceSnapshot) -> Self {
        let deployment = primary(service);
        Self {
            name: service.name.clone(),
            arn: service.arn.clone(),
            status: service.status.clone(),
            task_definition: service.task_definition.clone(),
            desired_count: service.desired_count,
            running_count: service.running_count,
            pending_count: service.pending_count,
            platform_version: service.platform_version.clone(),
            launch_type: service.launch_type.clone(),
            rollout_state: deployment.and_then(|deployment| deployment.rollout_state.clone()),
            rollout_state_reason: deployment
                .and_then(|deployment| deployment.rollout_state_reason.clone()),
        }
    }

    fn is_unwell(&self) -> bool {
        self.running_count < self.desired_count || self.rollout_state.as_deref() == Some("FAILED")
    }
}

/// Looks at a service and diagnoses it, or at every service of a cluster.
///
/// For a service it makes an observation, which takes four sequential round trips whatever there is
/// to read; the cluster is read beside the first of them.
///
/// # Errors
/// [`InspectError`] when cluster or service cannot be read; that one does not exist is an answer.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn guidance(
    clients: &AwsClients,
    catalogue: &Catalogue,
    cluster: &str,
    service: Option<&str>,
    symptoms: Option<&str>,
    options: ObserveOptions,
) -> Result<Guidance, InspectError> {
    let mut raw = GuidanceRaw {
        cluster_name: cluster.to_owned(),
        service_name: service.map(str::to_owned),
        symptoms_description: symptoms.map(str::to_owned),
        ..GuidanceRaw::default()
    };
    match service {
        Some(service) => {
            let target = ServiceTarget::new(cluster, service);
            let (described, observed) = tokio::join!(
                cluster::describe(clients, cluster),
                observe(clients, &target, options),
            );
            let Some(described) = described? else {
                return Ok(Guidance::no_cluster(cluster));
            };
            raw.cluster_details = vec![described];
            match observed {
                Ok(observation) => Ok(of_service(raw, &target, &observation, catalogue)),
                Err(ObserveError::ServiceNotFound { .. }) => {
                    let known = cluster::list_services(clients, cluster).await?.items;
                    Ok(Guidance::no_service(&target, &known))
                }
                Err(error) => Err(error.into()),
            }
        }
        None => {
            let (described, listed) = tokio::join!(
                cluster::describe(clients, cluster),
                cluster::list_services(clients, cluster),
            );
            let Some(described) = described? else {
                return Ok(Guidance::no_cluster(cluster));
            };
            raw.cluster_details = vec![described];
            let services = cluster::describe_services(clients, cluster, &listed?.items).await?;
            raw.service_details = services.iter().map(ServiceBrief::of).collect();
            Ok(of_cluster(raw))
        }
    }
}

fn of_service(
    mut raw: GuidanceRaw,
    target: &ServiceTarget,
    observation: &Observation,
    catalogue: &Catalogue,
) -> Guidance {
    let diagnosis = analyse(observation, catalogue);
    raw.service_details = vec![ServiceBrief::of(&observation.service)];
    raw.cloudformation_stack = observation.stack.as_ref().map(|stack| stack.value.clone());
    let definitions = observation.task_definition.iter();
    raw.task_definitions = definitions
        .chain(&observation.other_task_definitions)
        .map(|definition| definition.value.clone())
        .collect();
    raw.load_balancers = Balancing {
        load_balancers: values(&observation.load_balancers),
        target_groups: values(&observation.target_groups),
    };
    let found = values(&observation.images);
    raw.image_check_results = raw
        .task_definitions
        .iter()
        .flat_map(|definition| {
            definition.containers.iter().map(|container| {
                let mut check = images::check(&container.image, &found, &observation.gaps);
                check.task_definition = definition.arn.clone();
                check.container_name = container.name.clone();
                check
            })
        })
        .collect();
    raw.findings = diagnosis
        .findings
        .iter()
        .map(|finding| json!(finding))
        .collect();
    raw.not_read = diagnosis.gaps.iter().map(|gap| json!(gap)).collect();
    raw.next_actions = next_for(target, &diagnosis);
    let service = &observation.service;
    let assessment = format!(
        "service `{}` in cluster `{}`: {} of {} tasks run. {}{}",
        service.name,
        target.cluster_name(),
        service.running_count,
        service.desired_count,
        verdict_words(&diagnosis),
        diagnosis.summary
    );
    Guidance {
        status: Status::Success,
        assessment,
        raw_data: raw,
        error: None,
    }
}

fn verdict_words(diagnosis: &Diagnosis) -> &'static str {
    match diagnosis.verdict {
        Verdict::Healthy => "Healthy. ",
        Verdict::RootCauseFound => "The cause was found. ",
        Verdict::InProgress => "A deployment is under way. ",
        Verdict::Inconclusive => "No single cause explains it. ",
    }
}

fn values<T: Clone>(cited: &[crate::observation::Cited<T>]) -> Vec<T> {
    cited.iter().map(|item| item.value.clone()).collect()
}

fn next_for(target: &ServiceTarget, diagnosis: &Diagnosis) -> Vec<Value> {
    let (cluster, service) = (target.cluster_name(), target.service_name());
    let of_service = json!({"ecs_cluster_name": cluster, "ecs_service_name": service});
    let of_cluster = json!({"ecs_cluster_name": cluster});
    let ask =
        |action: &str, parameters: &Value| json!({"action": action, "parameters": parameters});
    if diagnosis.verdict == Verdict::Healthy {
        return Vec::new();
    }
    vec![
        ask("fetch_task_failures", &of_cluster),
        ask("fetch_task_logs", &of_cluster),
        ask("fetch_service_events", &of_service),
        json!({"tool": "propose_repair", "arguments": {
            "text": format!("repair {service}"), "cluster": cluster, "service": service,
        }}),
    ]
}

fn of_cluster(mut raw: GuidanceRaw) -> Guidance {
    let unwell: Vec<&ServiceBrief> = raw
        .service_details
        .iter()
        .filter(|service| service.is_unwell())
        .collect();
    let lines: Vec<String> = unwell
        .iter()
        .map(|service| {
            let why = service
                .rollout_state_reason
                .as_deref()
                .unwrap_or("no reason given");
            format!(
                "`{}` runs {} of {} tasks ({})",
                service.name, service.running_count, service.desired_count, why
            )
        })
        .collect();
    let next = unwell
        .iter()
        .map(|service| {
            json!({
                "action": "get_ecs_troubleshooting_guidance",
                "parameters": {
                    "ecs_cluster_name": name_in_arn(&raw.cluster_name),
                    "ecs_service_name": service.name,
                },
            })
        })
        .collect();
    let assessment = match lines.len() {
        0 => format!(
            "cluster `{}` has {} services, and each runs as many tasks as it wants",
            name_in_arn(&raw.cluster_name),
            raw.service_details.len()
        ),
        unwell => format!(
            "{unwell} of {} services in cluster `{}` are unwell: {}",
            raw.service_details.len(),
            name_in_arn(&raw.cluster_name),
            lines.join("; ")
        ),
    };
    raw.next_actions = next;
    Guidance {
        status: Status::Success,
        assessment,
        raw_data: raw,
        error: None,
    }
}

impl Guidance {
    fn no_cluster(cluster: &str) -> Self {
        let why = format!(
            "cluster `{}` not found here: check the name, the account and the region",
            name_in_arn(cluster)
        );
        Self::refused(cluster, why)
    }

    fn no_service(target: &ServiceTarget, known: &[String]) -> Self {
        let names: Vec<&str> = known.iter().take(20).map(|arn| name_in_arn(arn)).collect();
        let why = format!(
            "service `{}` not found in cluster `{}`; it has {}",
            target.service_name(),
            target.cluster_name(),
            if names.is_empty() {
                "no service".to_owned()
            } else {
                names.join(", ")
            }
        );
        Self::refused(target.cluster(), why)
    }

    fn refused(cluster: &str, why: String) -> Self {
        Self {
            status: Status::Error,
            assessment: why.clone(),
            raw_data: GuidanceRaw {
                cluster_name: cluster.to_owned(),
                ..GuidanceRaw::default()
            },
            error: Some(why),
        }
    }
}
