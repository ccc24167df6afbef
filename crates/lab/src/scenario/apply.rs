//! Carries changes out, through the same operations that AWS's clients have where they exist.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::change::{Change, Deploy};
use super::{identities, network, templates};
use crate::world::{
    Architecture, CircuitBreaker, DeploymentConfiguration, HealthCheckChange, HealthCheckPort,
    IngressOrEgress, Permission, Region, Route, RouteState, RouteTarget, ScalableTargetChange,
    Service, StopCode, TaskStatus, UpdateServiceInput, World,
};

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
                let configuration = DeploymentConfiguration {
                    deployment_circuit_breaker: CircuitBreaker {
                        enable: *enable,
                        rollback: *rollback,
                    },
                    ..hand.service(service)?.deployment_configuration
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
            } => {
                let change = HealthCheckChange {
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
                network::add_endpoints(hand.region()?);
                hand.wake()
            }
            Self::ExhaustSubnets { service } => hand.exhaust_subnets(service),
            Self::SetSubnets { service, letters } => hand.set_subnets(service, letters),
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

    fn policy_arn(&self, policy: &str) -> Result<String, String> {
        self.world
            .account(self.account)
            .and_then(|account| account.managed_policies.values().find(|p| p.name == policy))
            .map(|policy| policy.arn.clone())
            .ok_or_else(|| missing("managed policy", policy))
    }

    fn detach(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let arn = self.policy_arn(policy)?;
        let found = self
            .world
            .accounts
            .get_mut(self.account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| missing("role", role))?;
        found.attached_policies.retain(|attached| *attached != arn);
        Ok(())
    }

    fn attach(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let arn = self.policy_arn(policy)?;
        self.world
            .attach_role_policy(self.account, role, &arn)
            .map_err(|error| error.to_string())
    }

    fn delete_role_policy(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let found = self
            .world
            .accounts
            .get_mut(self.account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| missing("role", role))?;
        found.inline_policies.retain(|inline| inline.name != policy);
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

    fn group_ids(&self, service: &str) -> Result<Vec<String>, String> {
        let groups = self
            .service(service)?
            .network
            .as_ref()
            .map(|n| n.security_groups.clone());
        groups.ok_or_else(|| format!("service `{service}` has no security group of its own"))
    }

    fn groups_of(
        &mut self,
        service: &str,
        change: impl Fn(&mut crate::world::SecurityGroup),
    ) -> Result<(), String> {
        let ids = self.group_ids(service)?;
        let region = self.region()?;
        for id in ids {
            if let Some(group) = region.security_groups.get_mut(&id) {
                change(group);
            }
        }
        self.wake()
    }

    fn authorize(
        &mut self,
        service: &str,
        direction: IngressOrEgress,
        port: u16,
    ) -> Result<(), String> {
        let ids = self.group_ids(service)?;
        let balancers = self
            .region()?
            .security_groups
            .values()
            .find(|group| group.name == "load-balancers")
            .map(|group| group.id.clone())
            .unwrap_or_default();
        let permission = match direction {
            IngressOrEgress::Ingress => Permission::tcp_group(port, &balancers),
            IngressOrEgress::Egress => Permission::tcp_cidr(port, "0.0.0.0/0"),
        };
        for id in ids {
            self.world
                .authorize_security_group(
                    self.account,
                    self.region,
                    &id,
                    direction,
                    std::slice::from_ref(&permission),
                )
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn private_routes(&mut self, change: impl Fn(&mut Vec<Route>)) -> Result<(), String> {
        for table in self
            .region()?
            .route_tables
            .values_mut()
            .filter(|t| t.name == "private")
        {
            change(&mut table.routes);
        }
        self.wake()
    }

    fn restore_default_route(&mut self) -> Result<(), String> {
        let nat = self.region()?.nat_gateways.values_mut().next().map(|nat| {
            nat.state = "available".to_owned();
            nat.id.clone()
        });
        let nat = nat.ok_or("there is no NAT gateway")?;
        self.private_routes(|routes| {
            routes.retain(|route| route.destination != "0.0.0.0/0");
            routes.push(Route {
                destination: "0.0.0.0/0".to_owned(),
                target: RouteTarget::NatGateway(nat.clone()),
                state: RouteState::Active,
            });
        })
    }

    fn exhaust_subnets(&mut self, service: &str) -> Result<(), String> {
        let subnets = self
            .service(service)?
            .network
            .as_ref()
            .map(|n| n.subnets.clone())
            .unwrap_or_default();
        let region = self.region()?;
        for id in subnets {
            if let Some(subnet) = region.subnets.get_mut(&id) {
                subnet.available_ips = 0;
            }
        }
        Ok(())
    }

    fn set_subnets(&mut self, service: &str, letters: &[String]) -> Result<(), String> {
        let subnets = network::private_subnets(self.region()?, letters);
        let mut network = self
            .service(service)?
            .network
            .clone()
            .ok_or("the service has no network of its own")?;
        network.subnets = subnets;
        self.update(service, |input| {
            input.network_configuration = Some(crate::world::NetworkConfigurationInput {
                awsvpc_configuration: network,
            });
        })
    }

    /// The instances are terminated: what ran on them is gone at once.
    fn remove_instances(&mut self, cluster: &str) -> Result<(), String> {
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
            }
        }
        self.wake()
    }
}

/// Changes a registered body into the next revision's.
fn revise(region: &Region, body: &mut Value, deploy: &Deploy) -> Result<(), String> {
    let fields = body
        .as_object_mut()
        .ok_or("the task definition is not an object")?;
    if let Some(cpu) = deploy.cpu {
        fields.insert("cpu".to_owned(), json!(cpu.to_string()));
    }
    if let Some(memory) = deploy.memory {
        fields.insert("memory".to_owned(), json!(memory.to_string()));
    }
    if let Some(architecture) = deploy.architecture {
        fields.insert(
            "runtimePlatform".to_owned(),
            json!({"cpuArchitecture": architecture.as_str(), "operatingSystemFamily": "LINUX"}),
        );
    }
    let container = fields
        .get_mut("containerDefinitions")
        .and_then(Value::as_array_mut)
        .and_then(|containers| containers.first_mut())
        .and_then(Value::as_object_mut)
        .ok_or("the task definition has no container")?;
    if let Some(memory) = deploy.memory {
        container.insert("memory".to_owned(), json!(memory));
    }
    revise_image(region, container, deploy);
    revise_environment(region, container, deploy)?;
    match deploy.container_health_check.as_deref() {
        Some("") => drop(container.shift_remove("healthCheck")),
        Some(command) => {
            container.insert("healthCheck".to_owned(), templates::health_check(command));
        }
        None => {}
    }
    let options = container
        .get_mut("logConfiguration")
        .and_then(|log| log.get_mut("options"))
        .and_then(Value::as_object_mut);
    if let (Some(group), Some(options)) = (&deploy.log_group, options) {
        options.insert("awslogs-group".to_owned(), json!(group));
    }
    Ok(())
}

fn revise_image(region: &Region, container: &mut Map<String, Value>, deploy: &Deploy) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let path = image
        .rsplit_once('/')
        .map_or(image.as_str(), |(_, path)| path);
    let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
    let name = deploy.repository.as_deref().unwrap_or(name);
    let tag = deploy.image_tag.as_deref().unwrap_or(tag);
    container.insert(
        "image".to_owned(),
        json!(format!("{}/{name}:{tag}", region.registry_host())),
    );
}

fn revise_environment(
    region: &Region,
    container: &mut Map<String, Value>,
    deploy: &Deploy,
) -> Result<(), String> {
    let named = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if let Some(Value::Array(variables)) = container.get_mut("environment") {
        variables.retain(|variable| {
            named(variable).is_none_or(|name| {
                !deploy.unset_environment.contains(&name)
                    && !deploy.set_environment.contains_key(&name)
            })
        });
        for (name, value) in &deploy.set_environment {
            variables.push(json!({"name": name, "value": value}));
        }
    }
    for (name, source) in &deploy.set_secrets {
        let (secret, key) = source.split_once('#').unwrap_or((source, ""));
        let arn = region
            .secrets
            .values()
            .find(|existing| existing.name == secret)
            .map(|existing| existing.arn.clone())
            .unwrap_or_else(|| region.arn("secretsmanager", &format!("secret:{secret}-AbCdEf")));
        let value_from = if key.is_empty() {
            arn
        } else {
            format!("{arn}:{key}::")
        };
        let list = container
            .entry("secrets")
            .or_insert_with(|| json!([]))
            .as_array_mut()
            .ok_or("`secrets` is not a list")?;
        list.retain(|entry| named(entry).as_deref() != Some(name));
        list.push(json!({"name": name, "valueFrom": value_from}));
    }
    Ok(())
}
