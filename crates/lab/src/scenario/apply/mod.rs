//! Carries changes out, through the same operations that AWS's clients have where they exist.

mod access;
mod balancing;
mod capacity;
mod network;
mod revise;

use super::change::{Change, Deploy};
use super::network as layout;
use super::{identities, templates};
use crate::world::{
    Architecture, CircuitBreaker, DeploymentConfigurationInput, HealthCheckChange, HealthCheckPort,
    IngressOrEgress, Permission, Region, RouteState, ScalableTargetChange, Service,
    UpdateServiceInput, World,
};
use revise::revise;

/// Who changed something, where AWS writes that down.
const SOMEBODY: &str = "deploy-pipeline";

impl Change {
    /// Applies the change; the error says what the world does not have.
    pub(crate) fn apply(
        &self,
        world: &mut World,
        account: &str,
        region: &str,
    ) -> Result<(), String> {
        let mut hand = Hand {
            world,
            account,
            region,
        };
        match self {
            Self::Deploy(deploy) => hand.deploy(deploy),
            Self::DeployRevision { service, revision } => {
                let family = hand.service(service)?.task_definition.clone();
                let family = family.rsplit_once(':').map_or("", |(family, _)| family);
                let definition = format!("{family}:{revision}");
                hand.update(service, |input| input.task_definition = Some(definition))
            }
            Self::ForceNewDeployment { service } => {
                hand.update(service, |input| input.force_new_deployment = true)
            }
            Self::SetDesiredCount { service, count } => {
                hand.update(service, |input| input.desired_count = Some(*count))
            }
            Self::SetGracePeriod { service, seconds } => hand.update(service, |input| {
                input.health_check_grace_period_seconds = Some(*seconds)
            }),
            Self::SetCircuitBreaker {
                service,
                enable,
                rollback,
            } => {
                let configuration = DeploymentConfigurationInput {
                    deployment_circuit_breaker: Some(CircuitBreaker {
                        enable: *enable,
                        rollback: *rollback,
                    }),
                    ..DeploymentConfigurationInput::default()
                };
                hand.update(service, |input| {
                    input.deployment_configuration = Some(configuration)
                })
            }
            Self::SetHealthCheck {
                service,
                path,
                port,
                success_codes,
                protocol,
            } => {
                let change = HealthCheckChange {
                    protocol: protocol.clone(),
                    path: path.clone(),
                    port: port.map(|port| match port {
                        0 => HealthCheckPort::Traffic,
                        fixed => HealthCheckPort::Fixed(fixed),
                    }),
                    success_codes: success_codes.clone(),
                    ..HealthCheckChange::default()
                };
                hand.set_health_check(service, &change)
            }
            Self::PushImage {
                repository,
                tag,
                app,
                architectures,
                manifest_list,
            } => {
                let architectures = if architectures.is_empty() {
                    vec![Architecture::X86_64]
                } else {
                    architectures.clone()
                };
                let image = templates::image(app, architectures, *manifest_list);
                let now = hand.world.now;
                let pushed = templates::push_image(hand.region()?, repository, tag, image, now);
                pushed
                    .then_some(())
                    .ok_or_else(|| missing("repository", repository))
            }
            Self::DeleteImage { repository, tag } => hand.delete_image(repository, tag),
            Self::DeleteRepository { repository } => hand
                .region()?
                .repositories
                .remove(repository)
                .map(drop)
                .ok_or_else(|| missing("repository", repository)),
            Self::DetachRolePolicy { role, policy } => hand.detach(role, policy),
            Self::AttachRolePolicy { role, policy } => hand.attach(role, policy),
            Self::DeleteRolePolicy { role, policy } => hand.delete_role_policy(role, policy),
            Self::PutRolePolicy {
                role,
                policy,
                actions,
                resources,
                deny,
            } => {
                let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
                let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
                let resources = if resources.is_empty() {
                    vec!["*"]
                } else {
                    resources
                };
                let effect = if *deny { "Deny" } else { "Allow" };
                let document = identities::document(effect, &actions, &resources);
                hand.world
                    .put_role_policy(account, role, policy, document)
                    .map_err(|e| e.to_string())
            }
            Self::DeleteSecret { secret } => hand.delete_secret(secret),
            Self::SetSecretKeys { secret, keys } => {
                let region = hand.region()?;
                let found = region.secrets.values_mut().find(|s| s.name == *secret);
                found
                    .ok_or_else(|| missing("secret", secret))?
                    .json_keys
                    .clone_from(keys);
                hand.wake()
            }
            Self::DeleteLogGroup { log_group } => hand
                .region()?
                .log_groups
                .remove(log_group)
                .map(drop)
                .ok_or_else(|| missing("log group", log_group)),
            Self::CreateLogGroup { log_group } => hand
                .world
                .create_log_group(account, region, log_group)
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::RevokeIngress { service } => {
                hand.groups_of(service, |group| group.ingress.clear())
            }
            Self::RevokeEgress { service } => hand.groups_of(service, |group| group.egress.clear()),
            Self::AuthorizeIngress { service, port } => {
                hand.authorize(service, IngressOrEgress::Ingress, *port)
            }
            Self::AuthorizeEgress { service, port } => {
                hand.authorize(service, IngressOrEgress::Egress, *port)
            }
            Self::DeleteDefaultRoute => hand.private_routes(|routes| {
                routes.retain(|route| route.destination != "0.0.0.0/0");
            }),
            Self::DeleteNatGateway => {
                for nat in hand.region()?.nat_gateways.values_mut() {
                    nat.state = "deleted".to_owned();
                }
                hand.private_routes(|routes| {
                    for route in routes.iter_mut().filter(|r| r.destination == "0.0.0.0/0") {
                        route.state = RouteState::Blackhole;
                    }
                })
            }
            Self::RestoreDefaultRoute => hand.restore_default_route(),
            Self::AddEndpoints => {
                layout::add_endpoints(hand.region()?);
                hand.wake()
            }
            Self::ExhaustSubnets { service } => hand.exhaust_subnets(service),
            Self::SetSubnets {
                service,
                letters,
                public,
                public_ip,
            } => hand.set_subnets(service, letters, *public, *public_ip),
            Self::SetDeploymentPercents {
                service,
                minimum,
                maximum,
            } => {
                let configuration = DeploymentConfigurationInput {
                    minimum_healthy_percent: Some(*minimum),
                    maximum_percent: Some(*maximum),
                    ..DeploymentConfigurationInput::default()
                };
                hand.update(service, |input| {
                    input.deployment_configuration = Some(configuration)
                })
            }
            Self::RaiseAlarm { service } => {
                hand.service_mut(service)?.alarm_raised = true;
                hand.wake()
            }
            Self::ProtectTasks { service, protect } => {
                for task in &mut hand.service_mut(service)?.tasks {
                    task.protected = *protect && task.is_running();
                }
                hand.wake()
            }
            Self::DenyInNetworkAcl {
                letters,
                egress,
                from_port,
                to_port,
            } => hand.deny_in_network_acl(letters, *egress, (*from_port, *to_port)),
            Self::AllowInNetworkAcls => hand.allow_in_network_acls(),
            Self::DeleteEndpoint { endpoint } => hand.delete_endpoint(endpoint),
            Self::CloseEndpoints => hand.endpoint_groups(|group| group.ingress.clear()),
            Self::OpenEndpoints => hand.endpoint_groups(|group| {
                group.ingress = vec![Permission::tcp_cidr(443, "10.0.0.0/16")];
            }),
            Self::SetPrivateDns { endpoint, enabled } => hand.set_private_dns(endpoint, *enabled),
            Self::SetDnsSupport { enabled } => {
                for vpc in hand.region()?.vpcs.values_mut() {
                    vpc.dns_support = *enabled;
                }
                hand.wake()
            }
            Self::SetResolvable { host, resolvable } => {
                let region = hand.region()?;
                region.unknown_hosts.retain(|unknown| unknown != host);
                if !resolvable {
                    region.unknown_hosts.push(host.clone());
                }
                hand.wake()
            }
            Self::DetachTargetGroup { service } => hand.detach_target_group(service),
            Self::AttachTargetGroup { service } => hand.attach_target_group(service),
            Self::DeleteTargetGroup { service } => hand.delete_target_group(service),
            Self::RecreateTargetGroup { service } => hand.recreate_target_group(service),
            Self::SetBalancerZones { service, letters } => {
                hand.set_balancer_zones(service, letters)
            }
            Self::CloseBalancers => hand.balancer_groups(|group| group.ingress.clear()),
            Self::OpenBalancers => hand.balancer_groups(|group| {
                group.ingress = vec![Permission::tcp_cidr(80, "0.0.0.0/0")];
            }),
            Self::SetRoleTrust { role, services } => hand.set_role_trust(role, services),
            Self::SetServiceControlPolicy { deny } => {
                let account = hand
                    .world
                    .accounts
                    .get_mut(account)
                    .ok_or_else(|| missing("account", account))?;
                account.service_control_denies.clone_from(deny);
                hand.wake()
            }
            Self::ScheduleSecretDeletion { secret } => {
                let now = hand.world.now;
                hand.secret(secret)?.deleted_at = Some(now);
                hand.wake()
            }
            Self::RestoreSecret { secret } => {
                hand.secret(secret)?.deleted_at = None;
                hand.wake()
            }
            Self::EncryptSecret { secret, state } => hand.encrypt_secret(secret, *state),
            Self::PutParameter { parameter } => hand.put_parameter(parameter),
            Self::DeleteParameter { parameter } => hand
                .region()?
                .parameters
                .remove(parameter)
                .map(drop)
                .ok_or_else(|| missing("parameter", parameter)),
            Self::PutObject { object } => {
                hand.region()?.objects.push(object.clone());
                hand.wake()
            }
            Self::DeleteObject { object } => {
                hand.region()?.objects.retain(|known| known != object);
                hand.wake()
            }
            Self::PushForeignImage {
                account,
                repository,
                tag,
            } => hand.push_foreign_image(account, repository, tag),
            Self::ShareForeignRepository {
                account,
                repository,
                shared,
            } => hand.share_foreign_repository(account, repository, *shared),
            Self::ExpireUntaggedImages { repository } => {
                let found = hand.region()?.repositories.get_mut(repository);
                found
                    .ok_or_else(|| missing("repository", repository))?
                    .images
                    .retain(|_, image| !image.tags.is_empty());
                Ok(())
            }
            Self::SetAgents { cluster, connected } => {
                hand.instances(cluster, |instance| instance.agent_connected = *connected)
            }
            Self::DrainInstances { cluster, drain } => hand.instances(cluster, |instance| {
                instance.status = if *drain { "DRAINING" } else { "ACTIVE" }.to_owned();
            }),
            Self::SetAttribute {
                cluster,
                name,
                value,
            } => hand.instances(cluster, |instance| {
                instance.attributes.remove(name);
                if !value.is_empty() {
                    instance.attributes.insert(name.clone(), value.clone());
                }
            }),
            Self::OccupyPort { cluster, port } => hand.instances(cluster, |instance| {
                instance.foreign_ports = if *port == 0 { Vec::new() } else { vec![*port] };
            }),
            Self::SetZonesWithoutFargate { letters } => {
                let zones: Vec<String> = letters
                    .iter()
                    .map(|letter| format!("{region}{letter}"))
                    .collect();
                hand.region()?.troubles.zones_without_fargate = zones;
                hand.wake()
            }
            Self::SetFargateQuota { vcpus } => {
                hand.region()?.troubles.fargate_vcpu_quota = (*vcpus > 0).then_some(*vcpus);
                hand.wake()
            }
            Self::LimitDockerHub { limited } => {
                hand.region()?.troubles.docker_hub_limited = *limited;
                hand.wake()
            }
            Self::ThrottleEcs { throttled } => {
                hand.region()?.troubles.ecs_throttled = *throttled;
                hand.wake()
            }
            Self::DelayInterfaces { late } => {
                hand.region()?.troubles.interfaces_late = *late;
                hand.wake()
            }
            Self::RemoveInstances { cluster } => hand.remove_instances(cluster),
            Self::AddInstances { cluster, count } => {
                let now = hand.world.now;
                templates::add_instances(hand.region()?, cluster, *count, now);
                hand.wake()
            }
            Self::FillInstances { cluster, free_mib } => {
                for instance in hand.region()?.container_instances.values_mut() {
                    if instance.cluster == *cluster {
                        instance.remaining.memory_mib = *free_mib;
                    }
                }
                hand.wake()
            }
            Self::DeregisterTaskDefinition { service } => {
                let definition = hand.service(service)?.task_definition.clone();
                hand.world
                    .deregister_task_definition(account, region, &definition)
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Self::SetLoad { service, tasks } => {
                let resource = format!("service/{service}");
                hand.region()?
                    .scalable_targets
                    .get_mut(&resource)
                    .ok_or_else(|| missing("scalable target", &resource))?
                    .wanted = *tasks;
                hand.wake()
            }
            Self::SetScaling { service, min, max } => {
                let change = ScalableTargetChange {
                    resource_id: format!("service/{service}"),
                    min_capacity: Some(*min),
                    max_capacity: Some(*max),
                };
                hand.world
                    .register_scalable_target(account, region, &change)
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Self::SetReachable {
                host,
                port,
                reachable,
            } => {
                let endpoint = format!("{host}:{port}");
                let region = hand.region()?;
                region.unreachable_hosts.retain(|down| *down != endpoint);
                if !reachable {
                    region.unreachable_hosts.push(endpoint);
                }
                hand.wake()
            }
            Self::StopTask { service } => {
                let found = hand.service(service)?;
                let cluster = found.cluster.clone();
                let task = found
                    .tasks
                    .iter()
                    .find(|task| task.is_running() && task.is_wanted())
                    .map(|task| task.id.clone())
                    .ok_or_else(|| format!("service `{service}` has no running task"))?;
                hand.world
                    .stop_task(account, region, &cluster, &task, None)
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Self::DenyAgent { actions } => {
                let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
                let document = identities::document("Deny", &actions, &["*"]);
                hand.world
                    .put_role_policy(account, "ecs-deep-agent", "restrictions", document)
                    .map_err(|error| error.to_string())
            }
        }
    }
}

/// What a change works on.
struct Hand<'w> {
    world: &'w mut World,
    account: &'w str,
    region: &'w str,
}

fn missing(kind: &str, name: &str) -> String {
    format!("there is no {kind} `{name}`")
}

impl Hand<'_> {
    fn region(&mut self) -> Result<&mut Region, String> {
        self.world
            .region_mut(self.account, self.region)
            .ok_or_else(|| missing("region", self.region))
    }

    fn wake(&mut self) -> Result<(), String> {
        let now = self.world.now;
        self.region()?.wake(now);
        Ok(())
    }

    fn service(&self, name: &str) -> Result<&Service, String> {
        self.world
            .region(self.account, self.region)
            .and_then(|region| region.services.get(name))
            .ok_or_else(|| format!("there is no service `{name}`; write `<cluster>/<service>`"))
    }

    fn service_mut(&mut self, name: &str) -> Result<&mut Service, String> {
        self.region()?
            .services
            .get_mut(name)
            .ok_or_else(|| format!("there is no service `{name}`; write `<cluster>/<service>`"))
    }

    fn update(
        &mut self,
        service: &str,
        fill: impl FnOnce(&mut UpdateServiceInput),
    ) -> Result<(), String> {
        let found = self.service(service)?;
        let mut input = UpdateServiceInput {
            cluster: Some(found.cluster.clone()),
            service: found.name.clone(),
            ..UpdateServiceInput::default()
        };
        fill(&mut input);
        self.world
            .update_service(self.account, self.region, &input)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn deploy(&mut self, deploy: &Deploy) -> Result<(), String> {
        let reference = self.service(&deploy.service)?.task_definition.clone();
        let region = self
            .world
            .region(self.account, self.region)
            .ok_or_else(|| missing("region", self.region))?;
        let mut body = region
            .task_definition(&reference)
            .ok_or_else(|| missing("task definition", &reference))?
            .body
            .clone();
        revise(region, &mut body, deploy)?;
        let by = format!("arn:aws:iam::{}:role/{SOMEBODY}", self.account);
        let registered = self
            .world
            .register_task_definition(self.account, self.region, &by, &body)
            .map_err(|error| error.to_string())?;
        self.update(&deploy.service, |input| {
            input.task_definition = Some(registered.arn)
        })
    }

    fn set_health_check(
        &mut self,
        service: &str,
        change: &HealthCheckChange,
    ) -> Result<(), String> {
        let arns: Vec<String> = self
            .service(service)?
            .load_balancers
            .iter()
            .map(|binding| binding.target_group_arn.clone())
            .collect();
        for arn in arns {
            self.world
                .modify_target_group(self.account, self.region, &arn, change)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn delete_image(&mut self, repository: &str, tag: &str) -> Result<(), String> {
        let found = self
            .region()?
            .repositories
            .get_mut(repository)
            .ok_or_else(|| missing("repository", repository))?;
        let image = found
            .tagged_mut(tag)
            .ok_or_else(|| missing("image tag", tag))?;
        image.tags.retain(|t| t != tag);
        found.images.retain(|_, image| !image.tags.is_empty());
        Ok(())
    }

    fn delete_secret(&mut self, secret: &str) -> Result<(), String> {
        let region = self.region()?;
        let before = region.secrets.len();
        region.secrets.retain(|_, existing| existing.name != secret);
        if region.secrets.len() == before {
            Err(missing("secret", secret))
        } else {
            Ok(())
        }
    }
}
