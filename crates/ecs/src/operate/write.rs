//! The operations themselves: prepare, write, find the effect.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, DeploymentCircuitBreaker, DeploymentConfiguration,
    NetworkConfiguration, SortOrder, TaskDefinitionField, TaskDefinitionStatus,
};
use aws_sdk_elasticloadbalancingv2::types::Matcher;
use aws_smithy_types::retry::RetryConfig;
use futures_util::future::join_all;

use super::definition::{self, Revision};
use super::effect;
use super::ledger::{Calls, Kept};
use super::{Job, Problem};
use crate::aws::{AwsError, Reading};
use crate::observation::ServiceSnapshot;
use crate::observe::{
    ServiceTarget, describe_service, describe_target_groups, family_and_revision,
    read_scalable_target,
};
use crate::plan::{
    CreateLogGroup, ModifyTargetGroupHealthCheck, Operation, Precondition, Produced,
    RegisterScalableTarget, RegisterTaskDefinitionRevision, SecurityGroupRuleChange, StopTask,
    UpdateService,
};

/// Newest revisions of the family that are looked through for one that this step registered.
const LOOKED_THROUGH: i32 = 10;

/// A write that is ready to be sent.
pub(crate) enum Prepared {
    Register(Box<RegisterTaskDefinitionFluentBuilder>),
    Update(Box<UpdateServiceFluentBuilder>),
    /// Nothing had to be read or built first.
    AsPlanned,
}

impl Job<'_> {
    fn target(&self) -> ServiceTarget {
        let content = self.plan.content();
        ServiceTarget::new(&content.cluster, &content.service)
    }

    /// Reads what the operation builds on, checks what only it depends on, and builds the request.
    pub(crate) async fn prepare(&self) -> Kept<Prepared, Problem> {
        let mut calls = Calls::default();
        let prepared = self.try_prepare(&mut calls).await;
        calls.with(prepared)
    }

    async fn try_prepare(&self, calls: &mut Calls) -> Result<Prepared, Problem> {
        match self.operation {
            Operation::RegisterTaskDefinitionRevision(register) => {
                self.prepare_register(register, calls).await
            }
            Operation::UpdateService(update) => self.prepare_update(update, calls).await,
            Operation::StopTask(stop) => self.check_task(stop, calls).await,
            Operation::AuthorizeSecurityGroup(_)
            | Operation::RevokeSecurityGroup(_)
            | Operation::ModifyTargetGroupHealthCheck(_)
            | Operation::CreateLogGroup(_)
            | Operation::RegisterScalableTarget(_) => Ok(Prepared::AsPlanned),
        }
    }

    async fn prepare_register(
        &self,
        register: &RegisterTaskDefinitionRevision,
        calls: &mut Calls,
    ) -> Result<Prepared, Problem> {
        let mut arns = vec![register.base.clone()];
        for change in &register.changes {
            arns.extend(change.copies_from().map(ToOwned::to_owned));
        }
        arns.dedup();
        let mut revisions = BTreeMap::new();
        for (arn, reading) in join_all(arns.iter().map(|arn| self.revision(arn))).await {
            let revision = calls.note(reading).map_err(Problem::Aws)?;
            let revision =
                revision.ok_or_else(|| Problem::Inapplicable(format!("`{arn}` does not exist")))?;
            revisions.insert(arn, revision);
        }
        let mut base = revisions
            .remove(&register.base)
            .ok_or_else(|| Problem::Inapplicable(format!("`{}` does not exist", register.base)))?;
        definition::change(&mut base.definition, &register.changes, &revisions)
            .map_err(Problem::Inapplicable)?;
        let hash = self.plan.hash();
        let request = definition::request(self.clients, base, hash.as_str(), self.step);
        Ok(Prepared::Register(Box::new(request)))
    }

    async fn revision(&self, arn: &str) -> (String, Reading<Option<Revision>>) {
        let request = self
            .clients
            .ecs
            .describe_task_definition()
            .task_definition(arn)
            .include(TaskDefinitionField::Tags);
        let reading = self
            .clients
            .read("ecs:DescribeTaskDefinition", arn, |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let tags = answer.tags.unwrap_or_default();
                answer
                    .task_definition
                    .map(|definition| Revision { definition, tags })
            });
        (arn.to_owned(), reading)
    }

    async fn prepare_update(
        &self,
        update: &UpdateService,
        calls: &mut Calls,
    ) -> Result<Prepared, Problem> {
        let task_definition = self.resolved(update)?;
        // An inverse goes back to a revision that ran: what the step itself has to find before it
        // runs does not matter to it.
        let planned = self
            .plan
            .step(self.step)
            .filter(|step| step.operation == *self.operation);
        let must_be_active = planned.into_iter().flat_map(|step| {
            step.preconditions
                .iter()
                .filter_map(|precondition| match precondition {
                    Precondition::RevisionActive { arn } => Some(arn.as_str()),
                    Precondition::FactUnchanged { .. }
                    | Precondition::StepApplied { .. }
                    | Precondition::LogGroupAbsent { .. } => None,
                })
        });
        for (arn, reading) in join_all(must_be_active.map(|arn| self.revision(arn))).await {
            let revision = calls.note(reading).map_err(Problem::Aws)?;
            let active = revision.is_some_and(|revision| {
                revision.definition.status() == Some(&TaskDefinitionStatus::Active)
            });
            if !active {
                return Err(Problem::Inapplicable(format!("`{arn}` is not active")));
            }
        }
        let network = update.network.as_ref().map(|network| {
            let assign = if network.assign_public_ip {
                AssignPublicIp::Enabled
            } else {
                AssignPublicIp::Disabled
            };
            AwsVpcConfiguration::builder()
                .set_subnets(Some(network.subnets.clone()))
                .set_security_groups(Some(network.security_groups.clone()))
                .assign_public_ip(assign)
                .build()
        });
        let network = network
            .transpose()
            .map_err(|_| Problem::Inapplicable("the network names no subnet".to_owned()))?
            .map(|vpc| {
                NetworkConfiguration::builder()
                    .awsvpc_configuration(vpc)
                    .build()
            });
        let breaker = update.circuit_breaker.map(|breaker| {
            DeploymentCircuitBreaker::builder()
                .enable(breaker.enable)
                .rollback(breaker.rollback)
                .build()
        });
        let percents = update.healthy_percents;
        let deployments = (breaker.is_some() || percents.is_some()).then(|| {
            DeploymentConfiguration::builder()
                .set_deployment_circuit_breaker(breaker)
                .set_minimum_healthy_percent(percents.map(|percents| percents.minimum))
                .set_maximum_percent(percents.map(|percents| percents.maximum))
                .build()
        });
        let request = self
            .clients
            .ecs
            .update_service()
            .cluster(&update.cluster)
            .service(&update.service)
            .set_task_definition(task_definition)
            .set_desired_count(update.desired_count)
            .set_force_new_deployment(update.force_new_deployment.then_some(true))
            .set_network_configuration(network)
            .set_health_check_grace_period_seconds(update.health_check_grace_period_seconds)
            .set_deployment_configuration(deployments);
        Ok(Prepared::Update(Box::new(request)))
    }

    /// The revision that an update deploys, once earlier steps have run.
    fn resolved(&self, update: &UpdateService) -> Result<Option<String>, Problem> {
        let Some(revision) = &update.task_definition else {
            return Ok(None);
        };
        match revision.resolve(self.done) {
            Some(arn) => Ok(Some(arn.to_owned())),
            None => Err(Problem::Inapplicable(
                "the revision of an earlier step is not registered yet".to_owned(),
            )),
        }
    }

    /// A task may be stopped only if it still runs and belongs to the plan's service.
    async fn check_task(&self, stop: &StopTask, calls: &mut Calls) -> Result<Prepared, Problem> {
        let group = format!("service:{}", self.target().service_name());
        match calls.note(self.task(stop).await).map_err(Problem::Aws)? {
            Some((of, _)) if of == group => Ok(Prepared::AsPlanned),
            Some(_) => Err(Problem::Inapplicable(format!(
                "task `{}` is not of the service",
                stop.task
            ))),
            None => Err(Problem::Inapplicable(format!(
                "task `{}` is gone",
                stop.task
            ))),
        }
    }

    /// The group and the desired status of a task.
    async fn task(&self, stop: &StopTask) -> Reading<Option<(String, String)>> {
        let request = self
            .clients
            .ecs
            .describe_tasks()
            .cluster(&stop.cluster)
            .tasks(&stop.task);
        self.clients
            .read("ecs:DescribeTasks", stop.task.as_str(), |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let task = answer.tasks().first()?;
                let group = task.group().unwrap_or_default().to_owned();
                Some((group, task.desired_status().unwrap_or_default().to_owned()))
            })
    }

    /// Sends the write. Writes that are not idempotent are sent once: no retry below us.
    pub(crate) async fn write(&self, prepared: Prepared) -> Kept<Produced, AwsError> {
        let mut calls = Calls::default();
        let once = || aws_sdk_ecs::config::Builder::new().retry_config(RetryConfig::disabled());
        let clients = self.clients;
        let nothing = |()| Produced::default();
        let written = match (prepared, self.operation) {
            (Prepared::Register(request), _) => {
                let subject = self.target().to_string();
                let reading = clients
                    .read("ecs:RegisterTaskDefinition", subject, |receipt| {
                        request
                            .customize()
                            .config_override(once())
                            .interceptor(receipt)
                            .send()
                    })
                    .await;
                calls.note(reading).map(|answer| Produced {
                    task_definition: answer
                        .task_definition()
                        .and_then(|definition| definition.task_definition_arn())
                        .map(ToOwned::to_owned),
                    deployment: None,
                })
            }
            (Prepared::Update(request), _) => {
                let reading = clients
                    .read("ecs:UpdateService", self.target().to_string(), |receipt| {
                        request
                            .customize()
                            .config_override(once())
                            .interceptor(receipt)
                            .send()
                    })
                    .await;
                calls.note(reading).map(|answer| {
                    let primary = answer.service().and_then(|service| {
                        let deployments = service.deployments();
                        deployments
                            .iter()
                            .find(|item| item.status() == Some("PRIMARY"))
                    });
                    Produced {
                        task_definition: None,
                        deployment: primary.and_then(|item| item.id()).map(ToOwned::to_owned),
                    }
                })
            }
            (Prepared::AsPlanned, Operation::AuthorizeSecurityGroup(change)) => {
                let rule = effect::as_security_rule(&change.rule);
                let reading = clients
                    .authorize(change.direction, &change.group, &rule)
                    .await;
                calls.note(reading).map(nothing)
            }
            (Prepared::AsPlanned, Operation::RevokeSecurityGroup(change)) => {
                let rule = effect::as_security_rule(&change.rule);
                let reading = clients.revoke(change.direction, &change.group, &rule).await;
                calls.note(reading).map(nothing)
            }
            (Prepared::AsPlanned, Operation::ModifyTargetGroupHealthCheck(change)) => calls
                .note(self.modify_target_group(change).await)
                .map(nothing),
            (Prepared::AsPlanned, Operation::CreateLogGroup(create)) => {
                calls.note(self.create_log_group(create).await).map(nothing)
            }
            (Prepared::AsPlanned, Operation::RegisterScalableTarget(change)) => calls
                .note(self.register_scalable_target(change).await)
                .map(nothing),
            (Prepared::AsPlanned, Operation::StopTask(stop)) => {
                let reason = format!("ecs-deep-agent plan {}", self.plan.hash().short());
                let request = clients
                    .ecs
                    .stop_task()
                    .cluster(&stop.cluster)
                    .task(&stop.task)
                    .reason(reason);
                let reading = clients
                    .read("ecs:StopTask", stop.task.as_str(), |receipt| {
                        request.customize().interceptor(receipt).send()
                    })
                    .await;
                calls.note(reading).map(|_| Produced::default())
            }
            // INVARIANT: `prepare` builds a request for these two.
            (
                Prepared::AsPlanned,
                Operation::RegisterTaskDefinitionRevision(_) | Operation::UpdateService(_),
            ) => Ok(Produced::default()),
        };
        calls.with(written)
    }

    async fn modify_target_group(&self, change: &ModifyTargetGroupHealthCheck) -> Reading<()> {
        let matcher = change
            .matcher
            .as_ref()
            .map(|codes| Matcher::builder().http_code(codes).build());
        let request = self
            .clients
            .balancing
            .modify_target_group()
            .target_group_arn(&change.target_group)
            .set_health_check_path(change.path.clone())
            .set_health_check_port(change.port.clone())
            .set_health_check_interval_seconds(change.interval_seconds)
            .set_health_check_timeout_seconds(change.timeout_seconds)
            .set_healthy_threshold_count(change.healthy_threshold)
            .set_unhealthy_threshold_count(change.unhealthy_threshold)
            .set_matcher(matcher);
        let subject = change.target_group.as_str();
        self.clients
            .read(
                "elasticloadbalancing:ModifyTargetGroup",
                subject,
                |receipt| request.customize().interceptor(receipt).send(),
            )
            .await
            .map(|_| ())
    }

    async fn create_log_group(&self, create: &CreateLogGroup) -> Reading<()> {
        let request = self
            .clients
            .logs
            .create_log_group()
            .log_group_name(&create.name);
        self.clients
            .read("logs:CreateLogGroup", create.name.as_str(), |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|_| ())
    }

    async fn register_scalable_target(&self, change: &RegisterScalableTarget) -> Reading<()> {
        let id = self.target().scaling_id();
        let request = self
            .clients
            .scaling
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(&id)
            .min_capacity(change.min_capacity)
            .max_capacity(change.max_capacity);
        self.clients
            .read(
                "application-autoscaling:RegisterScalableTarget",
                id,
                |receipt| request.customize().interceptor(receipt).send(),
            )
            .await
            .map(|_| ())
    }

    /// Whether the write that was just made shows.
    pub(crate) async fn check_effect(&self, produced: &Produced) -> Kept<bool, AwsError> {
        if let Operation::RegisterTaskDefinitionRevision(_) = self.operation {
            let mut calls = Calls::default();
            let arn = produced.task_definition.as_deref().unwrap_or_default();
            let (_, reading) = self.revision(arn).await;
            let seen = calls.note(reading).map(|revision| {
                revision.is_some_and(|revision| {
                    revision.definition.status() == Some(&TaskDefinitionStatus::Active)
                })
            });
            return calls.with(seen);
        }
        let found = self.find_effect().await;
        Kept {
            requests: found.requests,
            result: found.result.map(|found| found.is_some()),
        }
    }

    /// Looks whether the operation is in effect, and what it brought into being.
    pub(crate) async fn find_effect(&self) -> Kept<Option<Produced>, AwsError> {
        let mut calls = Calls::default();
        let found = self.try_find_effect(&mut calls).await;
        calls.with(found)
    }

    async fn try_find_effect(&self, calls: &mut Calls) -> Result<Option<Produced>, AwsError> {
        let as_planned = |found: bool| found.then(Produced::default);
        match self.operation {
            Operation::RegisterTaskDefinitionRevision(register) => {
                self.find_registered(register, calls).await
            }
            Operation::UpdateService(update) => {
                let service = calls.note(describe_service(self.clients, &self.target()).await)?;
                Ok(service.and_then(|service| self.find_updated(update, &service)))
            }
            Operation::AuthorizeSecurityGroup(change) => Ok(as_planned(
                self.group_has(change, calls).await? == Some(true),
            )),
            Operation::RevokeSecurityGroup(change) => Ok(as_planned(
                self.group_has(change, calls).await? == Some(false),
            )),
            Operation::ModifyTargetGroupHealthCheck(change) => {
                let arns = [change.target_group.clone()];
                let groups = calls.note(describe_target_groups(self.clients, &arns).await)?;
                Ok(as_planned(
                    groups
                        .iter()
                        .any(|group| effect::health_check_is(group, change)),
                ))
            }
            Operation::CreateLogGroup(create) => {
                let request = self
                    .clients
                    .logs
                    .describe_log_groups()
                    .log_group_name_prefix(&create.name);
                let reading = self
                    .clients
                    .read("logs:DescribeLogGroups", create.name.as_str(), |receipt| {
                        request.customize().interceptor(receipt).send()
                    })
                    .await;
                let answer = calls.note(reading)?;
                let exists = answer
                    .log_groups()
                    .iter()
                    .any(|group| group.log_group_name() == Some(create.name.as_str()));
                Ok(as_planned(exists))
            }
            Operation::RegisterScalableTarget(change) => {
                let reading = read_scalable_target(self.clients, &self.target()).await;
                let scaling = calls.note(reading)?;
                Ok(as_planned(effect::limits_are(scaling.as_ref(), change)))
            }
            Operation::StopTask(stop) => {
                let task = calls.note(self.task(stop).await)?;
                Ok(as_planned(
                    task.is_none_or(|(_, desired)| desired == "STOPPED"),
                ))
            }
        }
    }

    /// Looks for a revision that carries this plan's hash and this step's number.
    async fn find_registered(
        &self,
        register: &RegisterTaskDefinitionRevision,
        calls: &mut Calls,
    ) -> Result<Option<Produced>, AwsError> {
        let (family, _) = family_and_revision(&register.base);
        let request = self
            .clients
            .ecs
            .list_task_definitions()
            .family_prefix(family)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .max_results(LOOKED_THROUGH);
        let reading = self
            .clients
            .read("ecs:ListTaskDefinitions", family, |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await;
        let newest: Vec<String> = calls
            .note(reading)?
            .task_definition_arns
            .unwrap_or_default()
            .into_iter()
            .filter(|arn| family_and_revision(arn).0 == family)
            .collect();
        let hash = self.plan.hash();
        let mut registered = None;
        for (arn, reading) in join_all(newest.iter().map(|arn| self.revision(arn))).await {
            let revision = calls.note(reading)?;
            if revision.is_some_and(|revision| revision.is_of(hash.as_str(), self.step)) {
                registered = Some(arn);
            }
        }
        Ok(registered.map(|arn| Produced {
            task_definition: Some(arn),
            deployment: None,
        }))
    }

    fn find_updated(&self, update: &UpdateService, service: &ServiceSnapshot) -> Option<Produced> {
        let task_definition = self.resolved(update).ok()?;
        let primary = service
            .deployments
            .iter()
            .find(|item| item.status == "PRIMARY");
        // A forced deployment changes no field: only one that neither the plan was made for nor an
        // earlier step brought shows it.
        let planned = self.plan.content().fingerprint.fact("service.deployments");
        let is_new = |id: &str| {
            let earlier = self
                .done
                .iter()
                .filter_map(|outcome| outcome.produced.deployment.as_deref());
            !planned.is_some_and(|planned| planned.contains(id))
                && earlier.into_iter().all(|known| known != id)
        };
        let forced = !update.force_new_deployment
            || primary.is_some_and(|deployment| is_new(&deployment.id));
        let in_effect = effect::service_is(service, update, task_definition.as_deref());
        (forced && in_effect).then(|| Produced {
            task_definition: None,
            deployment: primary.map(|deployment| deployment.id.clone()),
        })
    }

    async fn group_has(
        &self,
        change: &SecurityGroupRuleChange,
        calls: &mut Calls,
    ) -> Result<Option<bool>, AwsError> {
        let ids = [change.group.clone()];
        let groups = calls.note(self.clients.describe_security_groups(&ids).await)?;
        Ok(groups
            .items
            .iter()
            .find(|group| group.id == change.group)
            .map(|group| effect::has_rule(group, change)))
    }
}
