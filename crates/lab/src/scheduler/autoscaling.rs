//! Application Auto Scaling, as far as it decides a service's desired count.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::Tick;
use crate::world::{ScalingActivity, Service, uuid_shaped};

const EVALUATED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// A refusal to scale is written down again after this time.
const REFUSAL_REPEATS: TimeDelta = TimeDelta::minutes(10);

fn resource_of(service: &Service) -> String {
    format!("service/{}/{}", service.cluster, service.name)
}

impl Tick<'_> {
    pub(super) fn autoscale(&mut self, service: &mut Service) {
        let resource = resource_of(service);
        let Some(target) = self.region.scalable_targets.get(&resource).cloned() else {
            return;
        };
        if self.now.duration_trunc(EVALUATED_EVERY) != Ok(self.now) || service.desired_count == 0 {
            return;
        }
        let current = service.desired_count;
        let next = target
            .wanted
            .clamp(target.min_capacity, target.max_capacity);
        if next != current {
            service.desired_count = next;
            if let Some(primary) = service.primary_mut() {
                primary.desired_count = next;
            }
            service.steady = false;
            self.note(service, &resource, next, "Successful", None);
        } else if target.wanted > target.max_capacity {
            let recent = self
                .region
                .scaling_activities
                .iter()
                .rev()
                .find(|activity| activity.resource_id == resource)
                .is_some_and(|activity| activity.started_at + REFUSAL_REPEATS > self.now);
            if !recent {
                let reason = Some((target.max_capacity, current));
                self.note(service, &resource, next, "Unfulfilled", reason);
            }
        }
    }

    fn note(
        &mut self,
        service: &mut Service,
        resource: &str,
        next: u32,
        status: &str,
        at_maximum: Option<(u32, u32)>,
    ) {
        let cause = self
            .region
            .scaling_policies
            .iter()
            .find(|policy| policy.resource_id == resource)
            .map_or_else(String::new, |policy| {
                format!(
                    "monitor alarm TargetTracking-{resource}-AlarmHigh in state ALARM triggered policy {}",
                    policy.name
                )
            });
        let message = match at_maximum {
            None => format!(
                "Successfully set desired count to {next}. Change successfully fulfilled by ecs."
            ),
            Some(_) => {
                "Unable to scale out: the scalable target is at its maximum capacity.".to_owned()
            }
        };
        self.region.scaling_activities.push(ScalingActivity {
            id: uuid_shaped(&service.ids.hex(32)),
            resource_id: resource.to_owned(),
            description: match at_maximum {
                None => format!("Setting desired count to {next}."),
                Some(_) => "Attempting to scale due to alarm triggered".to_owned(),
            },
            cause,
            started_at: self.now,
            ended_at: Some(self.now),
            status: status.to_owned(),
            status_message: message,
            not_scaled_reason: at_maximum.map(|_| "AlreadyAtMaxCapacity".to_owned()),
            max_capacity: at_maximum.map(|(max, _)| max),
            current_capacity: at_maximum.map(|(_, current)| current),
        });
        if self.region.scaling_activities.len() > 200 {
            self.region.scaling_activities.remove(0);
        }
    }

    pub(super) fn autoscaling_time(&self, service: &Service) -> Option<DateTime<Utc>> {
        self.region.scalable_targets.get(&resource_of(service))?;
        let minute = self.now.duration_trunc(EVALUATED_EVERY).ok()?;
        Some(minute + EVALUATED_EVERY)
    }
}
