//! What AWS shows of a scenario's service, for the texts that a scenario promises.

use super::Scenario;
use super::definition::SymptomField;
use crate::world::World;

impl SymptomField {
    /// Every text that is shown in this field; nothing when there is no such service.
    pub(super) fn shown(self, scenario: &Scenario, world: &World) -> Vec<String> {
        let (account, region) = scenario.target_place();
        let target = &scenario.truth.target;
        let found = world.region(&account, &region).and_then(|region| {
            let service = region.service(&target.cluster, &target.service)?;
            Some((region, service))
        });
        let Some((region, service)) = found else {
            return Vec::new();
        };
        let tasks = service.tasks.iter();
        match self {
            SymptomField::StoppedReason => tasks.filter_map(|t| t.stopped_reason.clone()).collect(),
            SymptomField::StopCode => tasks
                .filter_map(|t| t.stop_code)
                .map(|code| code.as_str().to_owned())
                .collect(),
            SymptomField::ContainerReason => tasks
                .flat_map(|t| &t.containers)
                .filter_map(|c| c.reason.clone())
                .collect(),
            SymptomField::ExitCode => tasks
                .flat_map(|t| &t.containers)
                .filter_map(|c| c.exit_code.map(|code| code.to_string()))
                .collect(),
            SymptomField::Event => service.events.iter().map(|e| e.message.clone()).collect(),
            SymptomField::Rollout => service
                .deployments
                .iter()
                .flat_map(|d| {
                    [
                        d.rollout_state.as_str().to_owned(),
                        d.rollout_state_reason.clone(),
                    ]
                })
                .collect(),
            SymptomField::ServiceDeployment => service
                .service_deployments
                .iter()
                .flat_map(|d| {
                    [
                        d.status.as_str().to_owned(),
                        d.status_reason.clone().unwrap_or_default(),
                    ]
                })
                .collect(),
            SymptomField::Target => service
                .load_balancers
                .iter()
                .filter_map(|binding| region.target_groups.get(&binding.target_group_arn))
                .flat_map(|group| &group.targets)
                .flat_map(|target| {
                    let reason = target.reason.map(|reason| reason.as_str().to_owned());
                    [
                        reason.unwrap_or_default(),
                        target.description.clone().unwrap_or_default(),
                    ]
                })
                .collect(),
            SymptomField::Log => region
                .log_groups
                .values()
                .filter(|group| group.name.ends_with(&format!("/{}", service.name)))
                .flat_map(|group| group.streams.values())
                .flat_map(|stream| stream.events.iter().map(|event| event.message.clone()))
                .collect(),
            SymptomField::Counts => {
                vec![format!(
                    "desired {} running {}",
                    service.desired_count, service.running_count
                )]
            }
            SymptomField::TaskDefinition => {
                let definition = region.task_definition(&service.task_definition);
                let status = definition.map(|definition| definition.status.as_str().to_owned());
                status.into_iter().collect()
            }
            SymptomField::Scaling => region
                .scaling_activities
                .iter()
                .filter_map(|activity| activity.not_scaled_reason.clone())
                .collect(),
        }
    }
}
