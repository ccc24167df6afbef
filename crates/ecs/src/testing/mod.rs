//! Observations made by hand, for tests.
//!
//! A [`World`] starts as a healthy Fargate service behind a load balancer. Tests break it, and
//! [`World::observe`] gives the observation with evidence as AWS would have answered.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::observation::*;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const GROUP: &str = "sg-0aaaaaaaaaaaaaaa1";
pub(crate) const BALANCER_GROUP: &str = "sg-0bbbbbbbbbbbbbbb1";
pub(crate) const SUBNET_A: &str = "subnet-0aaaaaaaaaaaaaaa1";
pub(crate) const SUBNET_B: &str = "subnet-0bbbbbbbbbbbbbbb1";

pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

pub(crate) fn revision_arn(revision: i32) -> String {
    arn("ecs", &format!("task-definition/shop-web:{revision}"))
}

pub(crate) fn target_group_arn() -> String {
    arn(
        "elasticloadbalancing",
        "targetgroup/shop-web/73e2d6bc24d8a067",
    )
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

pub(crate) fn image(tag: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/web:{tag}")
}

/// Twelve o'clock plus this many seconds.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default() + TimeDelta::seconds(seconds)
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::embedded().unwrap()
}

/// Everything about one service before it is observed.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) service: ServiceSnapshot,
    pub(crate) definitions: Vec<TaskDefinitionSnapshot>,
    pub(crate) tasks: Vec<TaskSnapshot>,
    pub(crate) instances: Vec<ContainerInstanceSnapshot>,
    pub(crate) target_groups: Vec<TargetGroupSnapshot>,
    pub(crate) load_balancers: Vec<LoadBalancerSnapshot>,
    pub(crate) subnets: Vec<SubnetSnapshot>,
    pub(crate) route_tables: Vec<RouteTableSnapshot>,
    pub(crate) groups: Vec<SecurityGroupSnapshot>,
    pub(crate) endpoints: Vec<VpcEndpointSnapshot>,
    pub(crate) nat_gateways: Vec<NatGatewaySnapshot>,
    pub(crate) images: Vec<ImageSnapshot>,
    pub(crate) secrets: Vec<SecretSnapshot>,
    pub(crate) roles: Vec<RoleSnapshot>,
    pub(crate) log_groups: Vec<LogGroupSnapshot>,
    pub(crate) scaling: Option<ScalingSnapshot>,
    pub(crate) gaps: Vec<Gap>,
}

pub(crate) fn definition(revision: i32) -> TaskDefinitionSnapshot {
    TaskDefinitionSnapshot {
        arn: revision_arn(revision),
        family: "shop-web".to_owned(),
        revision,
        status: "ACTIVE".to_owned(),
        network_mode: Some("awsvpc".to_owned()),
        requires_compatibilities: vec!["FARGATE".to_owned()],
        cpu: Some(256),
        memory_mib: Some(512),
        execution_role_arn: Some(role_arn("shop-web-execution")),
        task_role_arn: Some(role_arn("shop-web-task")),
        cpu_architecture: Some("X86_64".to_owned()),
        operating_system_family: Some("LINUX".to_owned()),
        ephemeral_storage_gib: None,
        containers: vec![container("web", "1.4.1")],
        registered_at: Some(at(i64::from(revision) * 100 - 10_000)),
    }
}

pub(crate) fn container(name: &str, tag: &str) -> ContainerDefinition {
    ContainerDefinition {
        name: name.to_owned(),
        image: image(tag),
        essential: true,
        port_mappings: vec![PortMapping {
            container_port: 8080,
            ..PortMapping::default()
        }],
        environment_names: vec!["PORT".to_owned(), "DATABASE_URL".to_owned()],
        log_configuration: Some(LogConfiguration {
            driver: "awslogs".to_owned(),
            group: Some("/ecs/shop-web".to_owned()),
            region: Some(REGION.to_owned()),
            stream_prefix: Some("web".to_owned()),
            create_group: false,
        }),
        ..ContainerDefinition::default()
    }
}

pub(crate) fn rule(ports: (i32, i32), cidrs: &[&str], groups: &[&str]) -> SecurityRule {
    SecurityRule {
        protocol: "tcp".to_owned(),
        from_port: Some(ports.0),
        to_port: Some(ports.1),
        cidrs: cidrs.iter().map(|cidr| (*cidr).to_owned()).collect(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        prefix_lists: Vec::new(),
    }
}

impl World {
    /// Two healthy tasks of revision 1, deployed long ago.
    pub(crate) fn healthy() -> Self {
        let mut world = Self {
            now: 0,
            service: ServiceSnapshot {
                arn: arn("ecs", "service/shop/web"),
                name: "web".to_owned(),
                cluster_arn: arn("ecs", "cluster/shop"),
                status: "ACTIVE".to_owned(),
                desired_count: 2,
                running_count: 2,
                task_definition: revision_arn(1),
                launch_type: Some("FARGATE".to_owned()),
                deployments: vec![DeploymentSnapshot {
                    id: "ecs-svc/0000000000000000001".to_owned(),
                    status: "PRIMARY".to_owned(),
                    task_definition: revision_arn(1),
                    desired_count: 2,
                    running_count: 2,
                    rollout_state: Some("COMPLETED".to_owned()),
                    created_at: Some(at(-9000)),
                    ..DeploymentSnapshot::default()
                }],
                subnets: vec![SUBNET_A.to_owned(), SUBNET_B.to_owned()],
                security_groups: vec![GROUP.to_owned()],
                assign_public_ip: Some(false),
                load_balancers: vec![(target_group_arn(), "web".to_owned(), 8080)],
                health_check_grace_period_seconds: Some(60),
                circuit_breaker: Some((false, false)),
                created_at: Some(at(-9000)),
                ..ServiceSnapshot::default()
            },
            definitions: vec![definition(1)],
            tasks: Vec::new(),
            instances: Vec::new(),
            target_groups: vec![TargetGroupSnapshot {
                arn: target_group_arn(),
                name: "shop-web".to_owned(),
                target_type: Some("ip".to_owned()),
                protocol: Some("HTTP".to_owned()),
                port: Some(80),
                load_balancer_arns: vec![arn(
                    "elasticloadbalancing",
                    "loadbalancer/app/shop/50dc6c495c0c9188",
                )],
                health_check: HealthCheck {
                    protocol: Some("HTTP".to_owned()),
                    port: Some("traffic-port".to_owned()),
                    path: Some("/health".to_owned()),
                    interval_seconds: Some(10),
                    timeout_seconds: Some(5),
                    healthy_threshold: Some(2),
                    unhealthy_threshold: Some(2),
                    matcher: Some("200".to_owned()),
                },
                ..TargetGroupSnapshot::default()
            }],
            load_balancers: vec![LoadBalancerSnapshot {
                arn: arn(
                    "elasticloadbalancing",
                    "loadbalancer/app/shop/50dc6c495c0c9188",
                ),
                name: "shop".to_owned(),
                kind: "application".to_owned(),
                security_groups: vec![BALANCER_GROUP.to_owned()],
                ..LoadBalancerSnapshot::default()
            }],
            subnets: [(SUBNET_A, "10.0.1.0/24"), (SUBNET_B, "10.0.2.0/24")]
                .map(|(id, cidr)| SubnetSnapshot {
                    id: id.to_owned(),
                    vpc_id: "vpc-1".to_owned(),
                    cidr: cidr.to_owned(),
                    available_ips: 200,
                    ..SubnetSnapshot::default()
                })
                .to_vec(),
            route_tables: vec![RouteTableSnapshot {
                id: "rtb-private".to_owned(),
                vpc_id: "vpc-1".to_owned(),
                main: true,
                subnets: vec![SUBNET_A.to_owned(), SUBNET_B.to_owned()],
                routes: vec![RouteSnapshot {
                    destination: "0.0.0.0/0".to_owned(),
                    target: "nat-1".to_owned(),
                    state: "active".to_owned(),
                }],
            }],
            groups: vec![
                SecurityGroupSnapshot {
                    id: GROUP.to_owned(),
                    name: "web".to_owned(),
                    vpc_id: "vpc-1".to_owned(),
                    ingress: vec![rule((8080, 8080), &[], &[BALANCER_GROUP])],
                    egress: vec![SecurityRule {
                        protocol: "-1".to_owned(),
                        cidrs: vec!["0.0.0.0/0".to_owned()],
                        ..SecurityRule::default()
                    }],
                },
                SecurityGroupSnapshot {
                    id: BALANCER_GROUP.to_owned(),
                    name: "alb".to_owned(),
                    vpc_id: "vpc-1".to_owned(),
                    ingress: vec![rule((443, 443), &["0.0.0.0/0"], &[])],
                    egress: Vec::new(),
                },
            ],
            endpoints: Vec::new(),
            nat_gateways: vec![NatGatewaySnapshot {
                id: "nat-1".to_owned(),
                subnet_id: "subnet-public".to_owned(),
                state: "available".to_owned(),
            }],
            images: vec![image_snapshot("1.4.1", true)],
            secrets: Vec::new(),
            roles: Vec::new(),
            log_groups: vec![LogGroupSnapshot {
                name: "/ecs/shop-web".to_owned(),
                exists: Some(true),
                lines: Vec::new(),
            }],
            scaling: None,
            gaps: Vec::new(),
        };
        world.event(-8900, "(service web) has reached a steady state.");
        world.running(1, -8950);
        world.running(2, -8950);
        world
    }

    /// A deployment of revision 2 began ten minutes ago; revision 1 still serves with one task.
    pub(crate) fn deploying(change: impl FnOnce(&mut TaskDefinitionSnapshot)) -> Self {
        let mut world = Self::healthy();
        let mut next = definition(2);
        change(&mut next);
        world.definitions.insert(0, next);
        world.service.task_definition = revision_arn(2);
        for deployment in &mut world.service.deployments {
            deployment.status = "ACTIVE".to_owned();
        }
        world.service.deployments.insert(
            0,
            DeploymentSnapshot {
                id: "ecs-svc/0000000000000000002".to_owned(),
                status: "PRIMARY".to_owned(),
                task_definition: revision_arn(2),
                desired_count: 2,
                failed_tasks: 2,
                rollout_state: Some("IN_PROGRESS".to_owned()),
                created_at: Some(at(-600)),
                ..DeploymentSnapshot::default()
            },
        );
        world.service.running_count = 1;
        world.tasks.truncate(1);
        world.target_groups[0].targets.truncate(1);
        world
    }

    pub(crate) fn event(&mut self, seconds: i64, message: &str) {
        let id = format!("event{}", self.service.events.len());
        self.service.events.push(ServiceEvent {
            id,
            at: at(seconds),
            message: message.to_owned(),
        });
        self.service
            .events
            .sort_by_key(|event| std::cmp::Reverse(event.at));
    }

    /// Adds a running, healthy task of the service's revision.
    pub(crate) fn running(&mut self, number: u32, started: i64) -> &mut TaskSnapshot {
        let ip = format!("10.0.1.{}", 10 + number);
        if let Some(group) = self.target_groups.first_mut() {
            group.targets.push(TargetSnapshot {
                id: ip.clone(),
                port: Some(8080),
                state: "healthy".to_owned(),
                ..TargetSnapshot::default()
            });
        }
        let task_definition = self.service.task_definition.clone();
        self.push(TaskSnapshot {
            arn: arn("ecs", &format!("task/shop/{number:032x}")),
            task_definition,
            last_status: "RUNNING".to_owned(),
            private_ip: Some(ip),
            subnet: Some(SUBNET_A.to_owned()),
            created_at: Some(at(started - 20)),
            started_at: Some(at(started)),
            containers: vec![ContainerSnapshot {
                name: "web".to_owned(),
                ..ContainerSnapshot::default()
            }],
            ..TaskSnapshot::default()
        })
    }

    /// Adds a stopped task of the service's revision.
    pub(crate) fn stopped(&mut self, seconds: i64, code: &str, reason: &str) -> &mut TaskSnapshot {
        let number = 100 + self.tasks.len();
        let task_definition = self.service.task_definition.clone();
        self.push(TaskSnapshot {
            arn: arn("ecs", &format!("task/shop/{number:032x}")),
            task_definition,
            last_status: "STOPPED".to_owned(),
            stop_code: Some(code.to_owned()),
            stopped_reason: Some(reason.to_owned()),
            subnet: Some(SUBNET_A.to_owned()),
            created_at: Some(at(seconds - 120)),
            started_at: (code != "TaskFailedToStart").then(|| at(seconds - 60)),
            stopped_at: Some(at(seconds)),
            containers: vec![ContainerSnapshot {
                name: "web".to_owned(),
                ..ContainerSnapshot::default()
            }],
            ..TaskSnapshot::default()
        })
    }

    /// Adds a task that ended by itself with this exit code.
    pub(crate) fn exited(&mut self, seconds: i64, exit_code: i32) -> &mut TaskSnapshot {
        let task = self.stopped(
            seconds,
            "EssentialContainerExited",
            "Essential container in task exited",
        );
        task.containers[0].exit_code = Some(exit_code);
        task
    }

    fn push(&mut self, task: TaskSnapshot) -> &mut TaskSnapshot {
        self.tasks.push(task);
        self.tasks.last_mut().unwrap()
    }

    /// Lets the newest task write a line, this many seconds after its start.
    pub(crate) fn says(&mut self, container: &str, after: i64, text: &str) {
        let task = self.tasks.last().unwrap();
        let id = task.arn.rsplit('/').next().unwrap();
        let line = LogLine {
            at: task.started_at.or(task.created_at).unwrap() + TimeDelta::seconds(after),
            stream: format!("web/{container}/{id}"),
            text: text.to_owned(),
        };
        self.log_groups[0].lines.push(line);
    }

    /// What an observation of this world says.
    pub(crate) fn observe(&self) -> Observation {
        let mut log = EvidenceLog::default();
        let mut see = |call: &str, subject: &str, content: Value| {
            let number = log.len() + 1;
            log.record(
                call,
                subject,
                Some(format!("request-{number}")),
                at(self.now),
                content,
            )
        };
        let service = Cited {
            evidence: see(
                "ecs:DescribeServices",
                &self.service.arn,
                service_content(&self.service),
            ),
            value: self.service.clone(),
        };
        let mut definitions: Vec<Cited<TaskDefinitionSnapshot>> = Vec::new();
        for definition in &self.definitions {
            let evidence = see(
                "ecs:DescribeTaskDefinition",
                &definition.arn,
                content(definition),
            );
            definitions.push(Cited {
                value: definition.clone(),
                evidence,
            });
        }
        let mut seen = |call: &str, subject: &str, value: Value| see(call, subject, value);
        macro_rules! cited {
            ($items:expr, $call:literal, $subject:ident) => {
                $items
                    .iter()
                    .map(|item| Cited {
                        evidence: seen($call, &item.$subject, content(item)),
                        value: item.clone(),
                    })
                    .collect()
            };
        }
        let mut tasks: Vec<Cited<TaskSnapshot>> = cited!(self.tasks, "ecs:DescribeTasks", arn);
        tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at));
        let network = NetworkSnapshot {
            subnets: cited!(self.subnets, "ec2:DescribeSubnets", id),
            route_tables: cited!(self.route_tables, "ec2:DescribeRouteTables", id),
            security_groups: cited!(self.groups, "ec2:DescribeSecurityGroups", id),
            endpoints: cited!(self.endpoints, "ec2:DescribeVpcEndpoints", id),
            nat_gateways: cited!(self.nat_gateways, "ec2:DescribeNatGateways", id),
            network_acls: Vec::new(),
        };
        let current = definitions
            .iter()
            .position(|definition| definition.arn == self.service.task_definition);
        let task_definition = current.map(|index| definitions.remove(index));
        Observation {
            observed_at: at(self.now),
            account: ACCOUNT.parse().unwrap(),
            region: REGION.parse().unwrap(),
            gaps: self.gaps.clone(),
            service,
            task_definition,
            other_task_definitions: definitions,
            tasks,
            container_instances: cited!(self.instances, "ecs:DescribeContainerInstances", arn),
            target_groups: cited!(
                self.target_groups,
                "elasticloadbalancing:DescribeTargetHealth",
                arn
            ),
            load_balancers: cited!(
                self.load_balancers,
                "elasticloadbalancing:DescribeLoadBalancers",
                arn
            ),
            network,
            images: cited!(self.images, "ecr:DescribeImages", reference),
            secrets: cited!(self.secrets, "secretsmanager:DescribeSecret", value_from),
            roles: cited!(self.roles, "iam:GetRole", arn),
            log_groups: cited!(self.log_groups, "logs:FilterLogEvents", name),
            scaling: self.scaling.as_ref().map(|scaling| Cited {
                evidence: seen(
                    "application-autoscaling:DescribeScalableTargets",
                    "web",
                    content(scaling),
                ),
                value: scaling.clone(),
            }),
            stack: None,
            evidence: log,
        }
    }
}

pub(crate) fn image_snapshot(tag: &str, exists: bool) -> ImageSnapshot {
    ImageSnapshot {
        reference: image(tag),
        repository: "shop/web".to_owned(),
        tag_or_digest: tag.to_owned(),
        in_ecr: true,
        repository_exists: Some(true),
        image_exists: Some(exists),
        existing_tags: vec!["1.4.1".to_owned(), "1.4.0".to_owned()],
        ..ImageSnapshot::default()
    }
}

fn content<T: serde::Serialize>(value: &T) -> Value {
    camel(serde_json::to_value(value).unwrap())
}

fn service_content(service: &ServiceSnapshot) -> Value {
    let mut value = content(service);
    value["assignPublicIp"] = json!(if service.assign_public_ip == Some(true) {
        "ENABLED"
    } else {
        "DISABLED"
    });
    value
}

/// Field names as AWS writes them.
fn camel(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let mut upper = false;
                let name: String = name
                    .chars()
                    .filter_map(|letter| {
                        if letter == '_' {
                            upper = true;
                            return None;
                        }
                        let shown = if upper {
                            letter.to_ascii_uppercase()
                        } else {
                            letter
                        };
                        upper = false;
                        Some(shown)
                    })
                    .collect();
                (name, camel(value))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(camel).collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}
