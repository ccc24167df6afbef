use chrono::{DateTime, TimeDelta, Utc};

use super::{Scenario, ScenarioError, Simulation, identities, network, templates};
use crate::oracle::Baseline;
use crate::world::{Account, Cluster, Ids, Region, World};

/// When a scenario starts unless it is told otherwise: any moment does, as long as it is the same.
fn usual_start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_445_600, 0).unwrap_or_default()
}

impl Scenario {
    /// The scenario's world at its start, which is the same in every run.
    ///
    /// # Errors
    /// [`ScenarioError::Inconsistent`] when an event cannot be applied to the world.
    pub(crate) fn simulate(&self) -> Result<Simulation, ScenarioError> {
        self.simulate_at(usual_start())
    }

    /// The scenario's world, starting at this moment instead of the usual one.
    ///
    /// # Errors
    /// [`ScenarioError::Inconsistent`] when an event cannot be applied to the world.
    pub(crate) fn simulate_at(&self, start: DateTime<Utc>) -> Result<Simulation, ScenarioError> {
        let first = start - TimeDelta::minutes(i64::from(self.warm_up_minutes));
        let mut world = World::new(self.seed, first);
        for definition in &self.accounts {
            let ids = Ids::new(self.seed, &definition.id);
            let mut account = Account::new(
                &definition.id,
                &format!("lab-{}", ids.child("external-id").hex(12)),
            );
            identities::furnish(&mut account, &ids, first);
            for region_definition in &definition.regions {
                let name = &region_definition.name;
                let mut region = Region::new(&definition.id, name, ids.child(name));
                network::furnish(&mut region);
                for cluster in &region_definition.clusters {
                    region.clusters.insert(
                        cluster.name.clone(),
                        Cluster {
                            name: cluster.name.clone(),
                            arn: region.arn("ecs", &format!("cluster/{}", cluster.name)),
                            status: "ACTIVE".to_owned(),
                            capacity_providers: vec![
                                "FARGATE".to_owned(),
                                "FARGATE_SPOT".to_owned(),
                            ],
                            container_insights: false,
                            tags: Vec::new(),
                        },
                    );
                    templates::add_instances(&mut region, &cluster.name, cluster.instances, first);
                }
                account.regions.insert(name.clone(), region);
            }
            world.accounts.insert(definition.id.clone(), account);
        }
        for account in &self.accounts {
            for region in &account.regions {
                for cluster in &region.clusters {
                    for (index, service) in cluster.services.iter().enumerate() {
                        templates::add_service(
                            &mut world,
                            &account.id,
                            &region.name,
                            &cluster.name,
                            service,
                        )
                        .map_err(|error| {
                            self.wrong(
                                &format!("cluster `{}` services[{index}]", cluster.name),
                                error,
                            )
                        })?;
                    }
                }
            }
        }
        let places = if self.everywhere {
            self.places()
        } else {
            vec![self.target_place()]
        };
        for (index, event) in self.events.iter().enumerate() {
            world.advance(start - TimeDelta::minutes(i64::from(event.minutes_ago)));
            for (account, region) in &places {
                event
                    .change
                    .apply(&mut world, account, region)
                    .map_err(|error| self.wrong(&format!("events[{index}].change"), error))?;
            }
        }
        world.advance(start);
        let baseline = Baseline::of(&world, self);
        Ok(Simulation { world, baseline })
    }

    fn places(&self) -> Vec<(String, String)> {
        self.accounts
            .iter()
            .flat_map(|account| {
                account
                    .regions
                    .iter()
                    .map(|region| (account.id.clone(), region.name.clone()))
            })
            .collect()
    }
}
