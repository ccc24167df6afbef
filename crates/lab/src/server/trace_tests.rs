//! Everything that a lab does twice the same: its world second by second, and every byte it answers.

use std::hash::{DefaultHasher, Hasher};

use chrono::TimeDelta;
use http::Request as HttpRequest;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::handlers::Operation;
use crate::scenario::Scenario;
use crate::server::clock::ClockMode;
use crate::world::{Region, World};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};

/// How long a world is watched, and how often it is looked at.
const WATCHED: TimeDelta = TimeDelta::minutes(10);
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(120);

/// What a lab was seen to do: a label and a digest of the bytes, in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace(Vec<(String, u64)>);

impl Trace {
    fn add(&mut self, label: impl Into<String>, bytes: &[u8]) {
        // Nobody forges a trace, and a cryptographic digest of this much takes its time.
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        self.0.push((label.into(), hasher.finish()));
    }

    fn world(&mut self, lab: &Lab) {
        let world = lab.world();
        let text = serde_json::to_vec(&*world).unwrap();
        self.add(format!("the world at {}", world.now), &text);
    }

    /// The first thing that the other trace has not.
    fn parts_from(&self, other: &Self) -> Option<String> {
        let differs = self.0.iter().zip(&other.0).find(|(one, two)| one != two);
        match differs {
            Some(((label, _), _)) => Some(label.clone()),
            None if self.0.len() != other.0.len() => Some("one is longer".to_owned()),
            None => None,
        }
    }
}

/// Watches a lab of this scenario: its world as time passes, a restart of its service and a
/// stopped task, and the answers of every operation before and after. `meddle` may do something
/// in between.
fn trace(scenario: &Scenario, meddle: impl Fn(&Lab)) -> Trace {
    let lab = Lab::new(scenario, ClockMode::Manual, std::time::Duration::ZERO).unwrap();
    let (account, region) = scenario.target_place();
    let mut trace = Trace::default();
    trace.world(&lab);
    ask_everything(&lab, &account, &region, &mut trace);
    let target = &scenario.truth().target;
    let restart = json!({
        "cluster": target.cluster, "service": target.service, "forceNewDeployment": true,
    });
    ask(
        &lab,
        &account,
        &region,
        "ecs",
        "UpdateService",
        &restart,
        &mut trace,
    );
    let task = {
        let world = lab.world();
        let service = world
            .region(&account, &region)
            .and_then(|region| region.service(&target.cluster, &target.service));
        service.and_then(|service| service.tasks.last().map(|task| task.arn.clone()))
    };
    let stop = json!({"cluster": target.cluster, "task": task, "reason": "to see"});
    ask(
        &lab, &account, &region, "ecs", "StopTask", &stop, &mut trace,
    );
    meddle(&lab);
    let end = lab.now() + WATCHED;
    while lab.now() < end {
        lab.advance(LOOK_EVERY.to_std().unwrap());
        trace.world(&lab);
    }
    ask_everything(&lab, &account, &region, &mut trace);
    let report = serde_json::to_vec(&lab.health()).unwrap();
    trace.add("the oracle's report", &report);
    for record in lab.requests(0) {
        let text = serde_json::to_vec(&record).unwrap();
        trace.add(format!("the log's entry {}", record.sequence), &text);
    }
    trace
}

/// Every operation that reads, with inputs that fit this world.
fn ask_everything(lab: &Lab, account: &str, region: &str, trace: &mut Trace) {
    let inputs: Vec<(&Operation, Value)> = {
        let world = lab.world();
        handlers::all()
            .filter(|operation| operation.effect == Effect::Reads)
            .flat_map(|operation| {
                inputs(&world, account, region, operation)
                    .into_iter()
                    .map(move |input| (operation, input))
            })
            .collect()
    };
    for (operation, input) in inputs {
        let (service, name) = (operation.service, operation.name);
        ask(lab, account, region, service, name, &input, trace);
    }
}

fn inputs(world: &World, account: &str, name: &str, operation: &Operation) -> Vec<Value> {
    let region = world.region(account, name).unwrap();
    let roles = world.account(account).unwrap().roles.values();
    let per_cluster = |input: &dyn Fn(&str) -> Value| -> Vec<Value> {
        region.clusters.keys().map(|name| input(name)).collect()
    };
    let per_service = |input: &dyn Fn(&crate::world::Service) -> Value| -> Vec<Value> {
        region.services.values().map(input).collect()
    };
    match (operation.service, operation.name) {
        ("ecs", "DescribeClusters") => {
            vec![json!({"clusters": names(&region.clusters), "include": ["STATISTICS"]})]
        }
        ("ecs", "ListServices" | "ListContainerInstances") => {
            per_cluster(&|name| json!({"cluster": name}))
        }
        ("ecs", "DescribeServices") => per_service(
            &|one| json!({"cluster": one.cluster, "services": [one.name], "include": ["TAGS"]}),
        ),
        ("ecs", "ListServiceDeployments") => {
            per_service(&|one| json!({"cluster": one.cluster, "service": one.name}))
        }
        ("ecs", "DescribeServiceDeployments") => per_service(&|one| {
            let arns: Vec<_> = one.service_deployments.iter().map(|d| &d.arn).collect();
            json!({"serviceDeploymentArns": arns})
        }),
        ("ecs", "ListTasks") => ["RUNNING", "STOPPED"]
            .into_iter()
            .flat_map(|status| {
                per_cluster(&|name| json!({"cluster": name, "desiredStatus": status}))
            })
            .collect(),
        ("ecs", "DescribeTasks") => per_service(&|one| {
            let arns: Vec<_> = one.tasks.iter().map(|task| &task.arn).collect();
            json!({"cluster": one.cluster, "tasks": arns})
        }),
        ("ecs", "DescribeTaskDefinition") => {
            per_service(&|one| json!({"taskDefinition": one.task_definition}))
        }
        ("ecs", "ListTagsForResource") => per_service(&|one| json!({"resourceArn": one.arn})),
        ("ecs", "DescribeContainerInstances") => per_cluster(
            &|name| json!({"cluster": name, "containerInstances": names(&region.container_instances)}),
        ),
        ("elasticloadbalancing", "DescribeListeners") => {
            each(&region.load_balancers, "LoadBalancerArn")
        }
        ("elasticloadbalancing", "DescribeRules") => each(&region.listeners, "ListenerArn"),
        ("elasticloadbalancing", "DescribeTargetHealth" | "DescribeTargetGroupAttributes") => {
            each(&region.target_groups, "TargetGroupArn")
        }
        ("logs", "DescribeLogStreams" | "FilterLogEvents") => {
            each(&region.log_groups, "logGroupName")
        }
        ("logs", "GetLogEvents") => log_streams(region),
        ("ec2", "DescribeVpcAttribute") => region
            .vpcs
            .keys()
            .map(|id| json!({"VpcId": id, "Attribute": "enableDnsSupport"}))
            .collect(),
        ("ecr", "DescribeImages" | "ListImages") => each(&region.repositories, "repositoryName"),
        ("iam", "GetRole" | "ListRolePolicies" | "ListAttachedRolePolicies") => {
            roles.map(|role| json!({"RoleName": role.name})).collect()
        }
        ("iam", "GetRolePolicy") => roles
            .flat_map(|role| {
                let policies = role.inline_policies.iter();
                policies.map(|one| json!({"RoleName": role.name, "PolicyName": one.name}))
            })
            .collect(),
        ("iam", "GetPolicy") => each(&world.accounts[account].managed_policies, "PolicyArn"),
        ("iam", "GetPolicyVersion") => world.accounts[account]
            .managed_policies
            .keys()
            .map(|arn| json!({"PolicyArn": arn, "VersionId": "v1"}))
            .collect(),
        ("iam", "SimulatePrincipalPolicy") => roles
            .map(|role| json!({"PolicySourceArn": role.arn, "ActionNames": ["ecr:BatchGetImage"]}))
            .collect(),
        ("cloudformation", "DescribeStacks" | "ListStacks") => vec![json!({})],
        ("cloudformation", _) => each(&region.stacks, "StackName"),
        ("application-autoscaling", _) => vec![json!({"ServiceNamespace": "ecs"})],
        ("secretsmanager", "DescribeSecret") => each(&region.secrets, "SecretId"),
        // Without anything; what then answers with an error does so twice the same.
        _ => vec![json!({})],
    }
}

fn names<T>(things: &std::collections::BTreeMap<String, T>) -> Vec<&String> {
    things.keys().collect()
}

fn each<T>(things: &std::collections::BTreeMap<String, T>, member: &str) -> Vec<Value> {
    things.keys().map(|name| json!({ member: name })).collect()
}

fn log_streams(region: &Region) -> Vec<Value> {
    let streams = region.log_groups.values().flat_map(|group| {
        let newest = group.streams.keys().last();
        newest.map(|stream| json!({"logGroupName": group.name, "logStreamName": stream}))
    });
    streams.collect()
}

/// Signs one request as the account's engineer and puts the whole answer into the trace.
fn ask(
    lab: &Lab,
    account: &str,
    region: &str,
    service: &str,
    name: &str,
    input: &Value,
    trace: &mut Trace,
) {
    let response = signed(lab, account, region, service, name, input);
    let (parts, body) = response;
    let mut bytes = format!("{} {:?}", parts.status, parts.headers).into_bytes();
    bytes.extend(body);
    trace.add(format!("{service}:{name} {input}"), &bytes);
}

fn signed(
    lab: &Lab,
    account: &str,
    region: &str,
    service: &str,
    name: &str,
    input: &Value,
) -> (http::response::Parts, Vec<u8>) {
    let keys = &lab
        .accounts()
        .iter()
        .find(|one| one.account_id == account)
        .unwrap()
        .engineer;
    let scope = if service == "cloudwatch" {
        "monitoring"
    } else {
        service
    };
    let target = crate::wire::target_of(service);
    let body = match target {
        Some(_) => input.to_string(),
        None => {
            let mut form = format!("Action={name}");
            flatten("", input, &mut form);
            form
        }
    };
    let now = lab.now();
    let (date, day) = (
        now.format("%Y%m%dT%H%M%SZ").to_string(),
        now.format("%Y%m%d").to_string(),
    );
    let mut headers = vec![("host", "lab".to_owned()), ("x-amz-date", date.clone())];
    headers.extend(target.map(|prefix| ("x-amz-target", format!("{prefix}.{name}"))));
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
    let hash = hex::encode(Sha256::digest(&body));
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{hash}");
    let credential_scope = format!("{day}/{region}/{scope}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{credential_scope}\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let key = generate_signing_key(&keys.secret_access_key, now.into(), region, scope);
    let signature = calculate_signature(key, to_sign.as_bytes());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{credential_scope}, SignedHeaders={names}, \
         Signature={signature}",
        keys.access_key_id
    );
    let mut request = HttpRequest::post("/").header("authorization", authorization);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let response = answer(lab, &parts, body.as_bytes(), peer, Instant::now());
    let (parts, body) = response.into_parts();
    let body = futures_util::FutureExt::now_or_never(to_bytes(body, usize::MAX));
    (parts, body.unwrap().unwrap().to_vec())
}

/// The query protocols' form: `Names.member.1`, `Tags.member.1.Key`.
fn flatten(path: &str, value: &Value, form: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(&path, value, form);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{path}.member.{}", index + 1), value, form);
            }
        }
        Value::String(text) => {
            let text =
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
            form.push_str(&format!("&{path}={text}"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            form.push_str(&format!("&{path}={value}"))
        }
    }
}

#[test]
fn two_labs_of_each_scenario_have_the_same_history_and_answer_the_same_bytes() {
    for name in Scenario::names() {
        let scenario = Scenario::named(&name).unwrap();
        let (one, two) = (trace(&scenario, |_| ()), trace(&scenario, |_| ()));
        assert_eq!(one.parts_from(&two), None, "{name}");
    }
}

/// The control: the same comparison finds another seed, and one id drawn out of turn.
#[test]
fn traces_of_another_seed_and_of_a_world_that_was_meddled_with_differ() {
    let mut scenario = Scenario::named("demo").unwrap();
    let (account, region) = scenario.target_place();
    let told = trace(&scenario, |_| ());
    let meddled = trace(&scenario, |lab| {
        let mut world = lab.world();
        let region = world.region_mut(&account, &region).unwrap();
        region.service_mut("prod", "api").unwrap().ids.hex(1);
    });
    let found = told.parts_from(&meddled).unwrap();
    assert!(found.starts_with("the world at"), "{found}");
    let one_request_more = trace(&scenario, |lab| {
        signed(
            lab,
            &account,
            &region,
            "sts",
            "GetCallerIdentity",
            &json!({}),
        );
    });
    let found = told.parts_from(&one_request_more).unwrap();
    assert!(found.contains(':'), "{found}");
    scenario.seed += 1;
    assert!(told.parts_from(&trace(&scenario, |_| ())).is_some());
}

/// What the trace is made of is answers and not refusals of the test's own requests.
#[test]
fn the_operations_of_a_trace_are_answered() {
    let scenario = Scenario::named("insufficient-memory-instances").unwrap();
    let lab = Lab::new(&scenario, ClockMode::Manual, std::time::Duration::ZERO).unwrap();
    let (account, region) = scenario.target_place();
    let mut trace = Trace::default();
    ask_everything(&lab, &account, &region, &mut trace);
    let mut failed = Map::new();
    for record in lab.requests(0) {
        if record.outcome != RequestOutcome::Allowed {
            failed.insert(record.operation, json!(record.outcome));
        }
    }
    let answered = lab.requests(0).len() - failed.len();
    assert!(answered > 60, "{answered} answered, refused: {failed:#?}");
    let denied = failed
        .values()
        .filter(|outcome| outcome["kind"] == "denied");
    assert_eq!(denied.count(), 0, "{failed:#?}");
}
