//! Container instances.

use chrono::TimeDelta;

use super::Hand;
use crate::world::{ContainerInstance, ContainerStatus, StopCode, TaskStatus};

impl Hand<'_> {
    pub(super) fn instances(
        &mut self,
        cluster: &str,
        change: impl Fn(&mut ContainerInstance),
    ) -> Result<(), String> {
        for instance in self.region()?.container_instances.values_mut() {
            if instance.cluster == *cluster {
                change(instance);
            }
        }
        self.wake()
    }

    /// The instances are terminated: what ran on them is gone at once.
    pub(super) fn remove_instances(&mut self, cluster: &str) -> Result<(), String> {
        let now = self.world.now;
        let region = self.region()?;
        region
            .container_instances
            .retain(|_, instance| instance.cluster != cluster);
        for group in region.target_groups.values_mut() {
            let tasks = region.services.values().filter(|s| s.cluster == cluster);
            let gone: Vec<&str> = tasks
                .flat_map(|service| &service.tasks)
                .filter(|task| task.container_instance.is_some())
                .map(|task| task.id.as_str())
                .collect();
            group
                .targets
                .retain(|target| !gone.contains(&target.task.as_str()));
        }
        let services = region
            .services
            .values_mut()
            .filter(|s| s.cluster == cluster);
        for task in services.flat_map(|service| &mut service.tasks) {
            if task.container_instance.is_some() && task.stopped_at.is_none() {
                task.desired_status = TaskStatus::Stopped;
                task.last_status = TaskStatus::Deprovisioning;
                task.stop_code = Some(StopCode::TerminationNotice);
                task.stopped_reason = Some("Host EC2 instance terminated.".to_owned());
                task.stopping_at = Some(now);
                task.phase_ends_at = now + TimeDelta::seconds(1);
                for container in &mut task.containers {
                    container.status = ContainerStatus::Stopped;
                    container.next_health_check_at = None;
                }
            }
        }
        self.wake()
    }
}
