//! The kinds of service that scenarios are made of, each with everything it needs to be healthy.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::definition::{ServiceDefinition, SidecarDefinition, Template};
use super::{identities, network};
use crate::world::{
    AppBehaviour, Architecture, AssignPublicIp, ContainerInstance, DeploymentConfiguration,
    HealthCheck, HealthCheckPort, Image, LaunchType, Listener, ListenerRule, LoadBalancer,
    LoadBalancerBinding, LogGroup, NetworkConfiguration, Permission, Region, Repository, Resources,
    RolePolicy, ScalableTarget, ScalingPolicy, Secret, SecurityGroup, Service, ServiceStatus,
    Stack, StackEvent, StackResource, TargetGroup, TargetType, World, begin_deployment,
    uuid_shaped,
};

/// How long before the warm-up everything was created.
const AGE: TimeDelta = TimeDelta::days(40);
const PORT: u16 = 8080;

/// Lays out a service of a template with its registry, roles, logs, network and load balancer.
pub(super) fn add_service(
    world: &mut World,
    account_id: &str,
    region_name: &str,
    cluster: &str,
    definition: &ServiceDefinition,
) -> Result<(), String> {
    let now = world.now;
    let created = now - AGE;
    let name = format!("{cluster}-{}", definition.name);
    let account = world
        .accounts
        .get_mut(account_id)
        .ok_or("there is no such account")?;
    let mut regions = std::mem::take(&mut account.regions);
    let furnished = regions.get_mut(region_name).map(|region| {
        let mut ids = region.ids.child(&name);
        let secret = add_secret(
            region,
            &format!("{cluster}/{}/database", definition.name),
            created,
        );
        add_repository(region, definition, created);
        for sidecar in &definition.sidecars {
            let image = image(&sidecar.app, definition.architectures.clone(), false);
            create_repository(region, &sidecar.name, created);
            push_image(region, &sidecar.name, &sidecar.image_tag, image, created);
        }
        add_log_group(region, &log_group_name(cluster, &definition.name), created);
        let execution_role = identities::task_role(
            account,
            &format!("{name}-execution"),
            ids.base32(16),
            vec![RolePolicy {
                name: "read-secrets".to_owned(),
                document: identities::allow(
                    &["secretsmanager:GetSecretValue"],
                    &[&format!(
                        "arn:aws:secretsmanager:*:{account_id}:secret:{cluster}/{}/*",
                        definition.name
                    )],
                ),
            }],
            vec![identities::EXECUTION_POLICY.to_owned()],
            created,
        );
        let task_role = identities::task_role(
            account,
            &format!("{name}-task"),
            ids.base32(16),
            Vec::new(),
            Vec::new(),
            created,
        );
        let group = add_security_group(region, &name, definition);
        let binding = (definition.template != Template::FargateWorker)
            .then(|| add_load_balancing(region, &name, definition, created));
        let body = task_definition(
            region,
            cluster,
            definition,
            &execution_role,
            &task_role,
            &secret,
        );
        (group, binding, body)
    });
    account.regions = regions;
    let (group, binding, body) = furnished.ok_or("there is no such region")?;
    let by = format!("arn:aws:iam::{account_id}:role/deploy-pipeline");
    let registered = world
        .register_task_definition(account_id, region_name, &by, &body)
        .map_err(|error| error.to_string())?;
    let region = world
        .region_mut(account_id, region_name)
        .ok_or("there is no such region")?;
    let fargate = definition.template != Template::Ec2Web;
    let subnets = network::private_subnets(region, &["a".to_owned(), "b".to_owned()]);
    let mut service = Service {
        name: definition.name.clone(),
        arn: region.arn("ecs", &format!("service/{cluster}/{}", definition.name)),
        cluster: cluster.to_owned(),
        cluster_arn: region.arn("ecs", &format!("cluster/{cluster}")),
        status: ServiceStatus::Active,
        created_at: created,
        created_by: by,
        launch_type: if fargate {
            LaunchType::Fargate
        } else {
            LaunchType::Ec2
        },
        platform_version: fargate.then(|| "LATEST".to_owned()),
        desired_count: definition.desired,
        running_count: 0,
        pending_count: 0,
        task_definition: registered.arn,
        deployment_configuration: DeploymentConfiguration {
            deployment_circuit_breaker: definition.circuit_breaker,
            ..DeploymentConfiguration::default()
        },
        network: fargate.then(|| NetworkConfiguration {
            subnets,
            security_groups: vec![group],
            assign_public_ip: AssignPublicIp::Disabled,
        }),
        health_check_grace_period_seconds: binding
            .as_ref()
            .map(|_| definition.grace_period_seconds),
        load_balancers: binding.into_iter().collect(),
        enable_execute_command: false,
        enable_ecs_managed_tags: true,
        propagate_tags: "NONE".to_owned(),
        role_arn: None,
        tags: stack_tags(cluster, definition),
        deployments: Vec::new(),
        events: VecDeque::new(),
        service_deployments: Vec::new(),
        tasks: Vec::new(),
        ids: region.ids.child(&format!("service/{name}")),
        launch_failures: 0,
        next_launch_at: now,
        alarm_raised: false,
        steady: false,
        steady_said_at: None,
        draining: Vec::new(),
        wakes_at: now,
    };
    begin_deployment(&mut service, now);
    if let Some(scaling) = definition.scaling {
        add_scaling(region, &service, scaling.min, scaling.max, created);
    }
    if definition.stack {
        add_stack(region, &service, created);
    }
    region
        .services
        .insert(format!("{cluster}/{}", definition.name), service);
    Ok(())
}

pub(super) fn log_group_name(cluster: &str, service: &str) -> String {
    format!("/ecs/{cluster}/{service}")
}

fn add_secret(region: &mut Region, name: &str, at: DateTime<Utc>) -> String {
    let suffix = region.ids.child(name).hex(6);
    let arn = region.arn("secretsmanager", &format!("secret:{name}-{suffix}"));
    region.secrets.insert(
        arn.clone(),
        Secret {
            name: name.to_owned(),
            arn: arn.clone(),
            created_at: at,
            json_keys: vec!["username".to_owned(), "password".to_owned()],
            kms_key: None,
            deleted_at: None,
        },
    );
    arn
}

/// Services of the same name in several clusters share their repository, as teams do.
fn add_repository(region: &mut Region, definition: &ServiceDefinition, at: DateTime<Utc>) {
    let name = &definition.name;
    create_repository(region, name, at);
    let image = image(&definition.app, definition.architectures.clone(), false);
    push_image(region, name, &definition.image_tag, image, at);
}

fn create_repository(region: &mut Region, name: &str, at: DateTime<Utc>) {
    let repository = Repository {
        name: name.to_owned(),
        arn: region.arn("ecr", &format!("repository/{name}")),
        uri: format!("{}/{name}", region.registry_host()),
        created_at: at,
        images: BTreeMap::new(),
    };
    region
        .repositories
        .entry(name.to_owned())
        .or_insert(repository);
}

/// An image without its tag, digest and time, which [`push_image`] fills in.
pub(super) fn image(
    app: &AppBehaviour,
    architectures: Vec<Architecture>,
    manifest_list: bool,
) -> Image {
    Image {
        digest: String::new(),
        tags: Vec::new(),
        pushed_at: DateTime::UNIX_EPOCH,
        size_bytes: 87_421_337,
        architectures,
        manifest_list,
        app: app.clone(),
    }
}

pub(super) fn push_image(
    region: &mut Region,
    repository: &str,
    tag: &str,
    image: Image,
    at: DateTime<Utc>,
) -> bool {
    let mut ids = region.ids.child(&format!("image/{repository}:{tag}/{at}"));
    let Some(repository) = region.repositories.get_mut(repository) else {
        return false;
    };
    for existing in repository.images.values_mut() {
        existing.tags.retain(|t| t != tag);
    }
    let digest = format!("sha256:{}", ids.hex(64));
    let image = Image {
        digest: digest.clone(),
        tags: vec![tag.to_owned()],
        pushed_at: at,
        ..image
    };
    repository.images.insert(digest, image);
    true
}

fn add_log_group(region: &mut Region, name: &str, at: DateTime<Utc>) {
    let group = LogGroup {
        name: name.to_owned(),
        arn: region.arn("logs", &format!("log-group:{name}")),
        created_at: at,
        retention_days: Some(30),
        streams: BTreeMap::new(),
    };
    region.log_groups.insert(name.to_owned(), group);
}

fn balancer_group(region: &Region) -> String {
    region
        .security_groups
        .values()
        .find(|group| group.name == "load-balancers")
        .map(|group| group.id.clone())
        .unwrap_or_default()
}

fn vpc_of(region: &Region) -> String {
    region.vpcs.keys().next().cloned().unwrap_or_default()
}

fn add_security_group(region: &mut Region, name: &str, definition: &ServiceDefinition) -> String {
    let id = format!("sg-{}", region.ids.child(&format!("group/{name}")).hex(17));
    let ingress = match definition.template {
        Template::FargateWeb => vec![Permission::tcp_group(PORT, &balancer_group(region))],
        Template::FargateWorker | Template::Ec2Web => Vec::new(),
    };
    if definition.template == Template::Ec2Web {
        // Bridge networking: traffic arrives at the instance, whose group lets it in.
        return id;
    }
    let group = SecurityGroup {
        id: id.clone(),
        vpc: vpc_of(region),
        name: format!("{name}-tasks"),
        description: format!("Tasks of {name}"),
        ingress,
        egress: vec![Permission::everything()],
    };
    region.security_groups.insert(id.clone(), group);
    id
}

fn add_load_balancing(
    region: &mut Region,
    name: &str,
    definition: &ServiceDefinition,
    at: DateTime<Utc>,
) -> LoadBalancerBinding {
    let mut ids = region.ids.child(&format!("balancer/{name}"));
    let short: String = name.chars().take(32).collect();
    let balancer_id = ids.hex(16);
    let balancer = region.arn(
        "elasticloadbalancing",
        &format!("loadbalancer/app/{short}/{balancer_id}"),
    );
    let group_arn = region.arn(
        "elasticloadbalancing",
        &format!("targetgroup/{short}/{}", ids.hex(16)),
    );
    let listener_id = ids.hex(16);
    let listener = region.arn(
        "elasticloadbalancing",
        &format!("listener/app/{short}/{balancer_id}/{listener_id}"),
    );
    let rule = region.arn(
        "elasticloadbalancing",
        &format!(
            "listener-rule/app/{short}/{balancer_id}/{listener_id}/{}",
            ids.hex(16)
        ),
    );
    let public: Vec<String> = region
        .subnets
        .values()
        .filter(|subnet| subnet.name.starts_with("public"))
        .map(|subnet| subnet.id.clone())
        .collect();
    region.load_balancers.insert(
        balancer.clone(),
        LoadBalancer {
            name: short.clone(),
            arn: balancer.clone(),
            dns_name: format!(
                "{short}-{}.{}.elb.amazonaws.com",
                ids.digits(9),
                region.name
            ),
            scheme: "internet-facing".to_owned(),
            vpc: vpc_of(region),
            subnets: public,
            security_groups: vec![balancer_group(region)],
            created_at: at,
        },
    );
    region.listeners.insert(
        listener.clone(),
        Listener {
            arn: listener.clone(),
            load_balancer: balancer.clone(),
            port: 80,
            protocol: "HTTP".to_owned(),
            default_target_group: group_arn.clone(),
        },
    );
    region.listener_rules.insert(
        rule.clone(),
        ListenerRule {
            arn: rule,
            listener,
            priority: "default".to_owned(),
            path_patterns: Vec::new(),
            target_group: group_arn.clone(),
        },
    );
    region.target_groups.insert(
        group_arn.clone(),
        TargetGroup {
            name: short,
            arn: group_arn.clone(),
            vpc: vpc_of(region),
            protocol: "HTTP".to_owned(),
            port: PORT,
            target_type: match definition.template {
                Template::Ec2Web => TargetType::Instance,
                Template::FargateWeb | Template::FargateWorker => TargetType::Ip,
            },
            health_check: HealthCheck {
                protocol: "HTTP".to_owned(),
                port: HealthCheckPort::Traffic,
                path: "/health".to_owned(),
                interval_seconds: 10,
                timeout_seconds: 5,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
                success_codes: "200".to_owned(),
            },
            deregistration_delay_seconds: 15,
            load_balancers: vec![balancer],
            targets: Vec::new(),
        },
    );
    LoadBalancerBinding {
        target_group_arn: group_arn,
        container_name: definition.name.clone(),
        container_port: PORT,
    }
}

fn task_definition(
    region: &Region,
    cluster: &str,
    definition: &ServiceDefinition,
    execution_role: &str,
    task_role: &str,
    secret: &str,
) -> Value {
    let fargate = definition.template != Template::Ec2Web;
    let mut environment = definition.environment.clone();
    environment
        .entry("LOG_LEVEL".to_owned())
        .or_insert_with(|| "info".to_owned());
    let environment: Vec<Value> = environment
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let ports = match definition.template {
        Template::FargateWeb => {
            json!([{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}])
        }
        Template::Ec2Web => json!([{"containerPort": PORT, "hostPort": 0, "protocol": "tcp"}]),
        Template::FargateWorker => json!([]),
    };
    let mut container = json!({
        "name": definition.name,
        "image": format!("{}/{}:{}", region.registry_host(), definition.name, definition.image_tag),
        "cpu": 0,
        "memory": definition.memory,
        "essential": true,
        "portMappings": ports,
        "environment": environment,
        "secrets": [{"name": "DATABASE_PASSWORD", "valueFrom": format!("{secret}:password::")}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group_name(cluster, &definition.name),
                "awslogs-region": region.name,
                "awslogs-stream-prefix": "ecs",
            },
        },
    });
    if let (Some(command), Some(fields)) = (
        &definition.container_health_check,
        container.as_object_mut(),
    ) {
        fields.insert("healthCheck".to_owned(), health_check(command));
    }
    let awaited: Vec<Value> = definition
        .sidecars
        .iter()
        .filter_map(|sidecar| {
            let condition = sidecar.awaited?;
            Some(json!({"containerName": sidecar.name, "condition": condition}))
        })
        .collect();
    if let (false, Some(fields)) = (awaited.is_empty(), container.as_object_mut()) {
        fields.insert("dependsOn".to_owned(), json!(awaited));
    }
    let mut containers = vec![container];
    containers.extend(
        definition
            .sidecars
            .iter()
            .map(|sidecar| sidecar_container(region, cluster, definition, sidecar)),
    );
    let mut body = json!({
        "family": format!("{cluster}-{}", definition.name),
        "executionRoleArn": execution_role,
        "taskRoleArn": task_role,
        "networkMode": if fargate { "awsvpc" } else { "bridge" },
        "containerDefinitions": containers,
        "requiresCompatibilities": [if fargate { "FARGATE" } else { "EC2" }],
        "cpu": definition.cpu.to_string(),
        "memory": definition.memory.to_string(),
    });
    if let (true, Some(fields)) = (fargate, body.as_object_mut()) {
        fields.insert(
            "runtimePlatform".to_owned(),
            json!({"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}),
        );
    }
    body
}

fn sidecar_container(
    region: &Region,
    cluster: &str,
    definition: &ServiceDefinition,
    sidecar: &SidecarDefinition,
) -> Value {
    let mut container = json!({
        "name": sidecar.name,
        "image": format!("{}/{}:{}", region.registry_host(), sidecar.name, sidecar.image_tag),
        "cpu": 0,
        "essential": sidecar.essential,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group_name(cluster, &definition.name),
                "awslogs-region": region.name,
                "awslogs-stream-prefix": "ecs",
            },
        },
    });
    if let Some(fields) = container.as_object_mut() {
        if let Some(command) = &sidecar.container_health_check {
            fields.insert("healthCheck".to_owned(), health_check(command));
        }
        if let Some(seconds) = sidecar.start_timeout {
            fields.insert("startTimeout".to_owned(), json!(seconds));
        }
    }
    container
}

pub(super) fn health_check(command: &str) -> Value {
    json!({
        "command": ["CMD-SHELL", command],
        "interval": 10,
        "timeout": 5,
        "retries": 3,
        "startPeriod": 15,
    })
}

fn add_scaling(region: &mut Region, service: &Service, min: u32, max: u32, at: DateTime<Utc>) {
    let resource_id = format!("service/{}/{}", service.cluster, service.name);
    let mut ids = region.ids.child(&resource_id);
    region.scalable_targets.insert(
        resource_id.clone(),
        ScalableTarget {
            arn: region.arn(
                "application-autoscaling",
                &format!("scalable-target/{}", ids.hex(20)),
            ),
            resource_id: resource_id.clone(),
            min_capacity: min,
            max_capacity: max,
            created_at: at,
            wanted: service.desired_count,
        },
    );
    let name = format!("{}-cpu", service.name);
    region.scaling_policies.push(ScalingPolicy {
        arn: region.arn(
            "autoscaling",
            &format!(
                "scalingPolicy:{}:resource/ecs/{resource_id}:policyName/{name}",
                uuid_shaped(&ids.hex(32))
            ),
        ),
        name,
        resource_id,
        target_cpu_percent: 60,
        created_at: at,
    });
}

/// The tags that CloudFormation puts on what it owns.
fn stack_tags(cluster: &str, definition: &ServiceDefinition) -> Vec<(String, String)> {
    if !definition.stack {
        return Vec::new();
    }
    let stack = format!("{cluster}-{}", definition.name);
    [("stack-name", stack.as_str()), ("logical-id", "Service")]
        .map(|(tag, value)| (format!("aws:cloudformation:{tag}"), value.to_owned()))
        .to_vec()
}

fn add_stack(region: &mut Region, service: &Service, at: DateTime<Utc>) {
    let name = format!("{}-{}", service.cluster, service.name);
    let mut ids = region.ids.child(&format!("stack/{name}"));
    let id = region.arn(
        "cloudformation",
        &format!("stack/{name}/{}", uuid_shaped(&ids.hex(32))),
    );
    let resource = |logical: &str, physical: &str, kind: &str| StackResource {
        logical_id: logical.to_owned(),
        physical_id: physical.to_owned(),
        resource_type: kind.to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        updated_at: at,
    };
    let resources = vec![
        resource("Service", &service.arn, "AWS::ECS::Service"),
        resource(
            "TaskDefinition",
            &service.task_definition,
            "AWS::ECS::TaskDefinition",
        ),
    ];
    let events = resources
        .iter()
        .map(|resource| StackEvent {
            id: uuid_shaped(&ids.hex(32)),
            logical_id: resource.logical_id.clone(),
            physical_id: resource.physical_id.clone(),
            resource_type: resource.resource_type.clone(),
            at,
            status: resource.status.clone(),
            reason: None,
        })
        .collect();
    region.stacks.insert(
        name.clone(),
        Stack {
            name,
            id,
            status: "CREATE_COMPLETE".to_owned(),
            created_at: at,
            resources,
            events,
        },
    );
}

/// Registers EC2 instances with a cluster.
pub(super) fn add_instances(region: &mut Region, cluster: &str, count: u32, at: DateTime<Utc>) {
    if count == 0 {
        return;
    }
    let name = format!("{cluster}-instances");
    let group = format!("sg-{}", region.ids.child(&name).hex(17));
    let mut ingress = Permission::tcp_group(0, &balancer_group(region));
    ingress.from_port = Some(32_768);
    ingress.to_port = Some(60_999);
    let group_data = SecurityGroup {
        id: group.clone(),
        vpc: vpc_of(region),
        name,
        description: format!("Container instances of {cluster}"),
        ingress: vec![ingress],
        egress: vec![Permission::everything()],
    };
    region
        .security_groups
        .entry(group.clone())
        .or_insert(group_data);
    let subnets = network::private_subnets(region, &["a".to_owned(), "b".to_owned()]);
    let present = u32::try_from(region.container_instances.len()).unwrap_or(u32::MAX);
    // An instance that is gone keeps its id to itself: its tasks are still described.
    let known = |region: &Region, arn: &String| {
        let tasks = region.services.values().flat_map(|s| &s.tasks);
        let instances = region.container_instances.values();
        instances
            .map(|instance| &instance.arn)
            .any(|one| one == arn)
            || tasks
                .filter_map(|task| task.container_instance.as_ref())
                .any(|one| one == arn)
    };
    let mut added = 0;
    for number in present.. {
        if added == count {
            break;
        }
        let mut ids = region.ids.child(&format!("instance/{cluster}/{number}"));
        let id = ids.hex(32);
        let arn = region.arn("ecs", &format!("container-instance/{cluster}/{id}"));
        if known(region, &arn) {
            continue;
        }
        added += 1;
        let subnet = subnets
            .get(number as usize % subnets.len().max(1))
            .cloned()
            .unwrap_or_default();
        let (zone, base) = region
            .subnets
            .get(&subnet)
            .map_or_else(Default::default, |subnet| {
                let base = subnet
                    .cidr
                    .rsplit_once('.')
                    .map_or("10.0.10", |(base, _)| base);
                (subnet.availability_zone.clone(), base.to_owned())
            });
        let room = Resources {
            cpu: 2_048,
            memory_mib: 3_884,
        };
        region.container_instances.insert(
            id.clone(),
            ContainerInstance {
                arn,
                id,
                cluster: cluster.to_owned(),
                ec2_instance_id: format!("i-{}", ids.hex(17)),
                instance_type: "t3.medium".to_owned(),
                availability_zone: zone,
                subnet,
                private_ip: format!("{base}.{}", 4 + number % 5),
                security_groups: vec![group.clone()],
                status: "ACTIVE".to_owned(),
                agent_connected: true,
                registered_at: at,
                registered: room,
                remaining: room,
                running_tasks: 0,
                pending_tasks: 0,
                next_host_port: 32_768,
                attributes: BTreeMap::new(),
                foreign_ports: Vec::new(),
            },
        );
    }
}
