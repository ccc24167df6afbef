use chrono::{DateTime, TimeDelta, Utc};

use super::review::Flaw;
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
        let mut world = self
            .lay_out(start)
            .map_err(|flaw| self.wrong(&flaw.field, flaw.problem))?;
        if let Some(flaw) = self.let_happen(&mut world, start).into_iter().next() {
            return Err(self.wrong(&flaw.field, flaw.problem));
        }
        let baseline = Baseline::of(&world, self);
        Ok(Simulation { world, baseline })
    }

    /// The simulation, and everything in the scenario that could not be made or applied.
    pub(super) fn rehearse(&self) -> (Option<Simulation>, Vec<Flaw>) {
        let start = usual_start();
        match self.lay_out(start) {
            Err(flaw) => (None, vec![flaw]),
            Ok(mut world) => {
                let flaws = self.let_happen(&mut world, start);
                let baseline = Baseline::of(&world, self);
                (Some(Simulation { world, baseline }), flaws)
            }
        }
    }

    /// The healthy world, before anything happened.
    fn lay_out(&self, start: DateTime<Utc>) -> Result<World, Flaw> {
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
        for (a, account) in self.accounts.iter().enumerate() {
            for (r, region) in account.regions.iter().enumerate() {
                for (c, cluster) in region.clusters.iter().enumerate() {
                    for (index, service) in cluster.services.iter().enumerate() {
                        templates::add_service(
                            &mut world,
                            &account.id,
                            &region.name,
                            &cluster.name,
                            service,
                        )
                        .map_err(|error| {
                            Flaw::new(
                                format!(
                                    "accounts[{a}].regions[{r}].clusters[{c}].services[{index}]"
                                ),
                                error,
                            )
                        })?;
                    }
                }
            }
        }
        Ok(world)
    }

    /// Lets the events happen; says which of them could not.
    fn let_happen(&self, world: &mut World, start: DateTime<Utc>) -> Vec<Flaw> {
        let places = if self.everywhere {
            self.places()
        } else {
            vec![self.target_place()]
        };
        let mut flaws = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            world.advance(start - TimeDelta::minutes(i64::from(event.minutes_ago)));
            for (account, region) in &places {
                if let Err(problem) = event.change.apply(world, account, region) {
                    flaws.push(Flaw::new(format!("events[{index}].change"), problem));
                }
            }
        }
        world.advance(start);
        flaws
    }

    /// ARNs of the services that are not meant and are not well, although nothing happened to them.
    pub(super) fn unsteady_bystanders(&self, world: &World) -> Vec<String> {
        let (account, region) = self.target_place();
        let target = world
            .region(&account, &region)
            .and_then(|region| {
                region.service(&self.truth.target.cluster, &self.truth.target.service)
            })
            .map(|service| service.arn.clone());
        world
            .accounts
            .values()
            .flat_map(|account| account.regions.values())
            .flat_map(|region| region.services.values())
            .filter(|service| Some(&service.arn) != target.as_ref())
            .filter(|service| !service.steady || service.running_count != service.desired_count)
            .map(|service| service.arn.clone())
            .collect()
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
