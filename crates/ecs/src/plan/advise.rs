//! What a person has to do, because the program must not or cannot.

use super::Advice;
use crate::analyse::Finding;
use crate::observation::Observation;

const NO_IAM: &str =
    "this program cannot grant permissions: whoever can write IAM can give itself anything";

/// Exact commands for a person; the program waits for nothing and knows nothing of their outcome.
pub(crate) fn of(observation: &Observation, finding: &Finding) -> Vec<Advice> {
    let service = &observation.service;
    let region = &observation.region;
    let cluster = short(&service.cluster_arn);
    let name = &service.name;
    let redeploy = format!(
        "aws ecs update-service --region {region} --cluster {cluster} --service {name} --force-new-deployment"
    );
    let role = finding
        .affected
        .iter()
        .find(|affected| affected.contains(":role/"))
        .map_or("<execution role>", |role| short(role))
        .to_owned();
    let (title, why, commands, cloudformation): (&str, &str, Vec<String>, Option<String>) =
        match finding.mode.as_str() {
            "ecr-pull-denied-execution-role" | "ecr-auth-token-denied" => (
                "Let the execution role pull from ECR",
                NO_IAM,
                vec![
                    format!(
                        "aws iam attach-role-policy --role-name {role} --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
                    ),
                    redeploy,
                ],
                Some("ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy]".to_owned()),
            ),
            "secret-access-denied-execution-role" => {
                let secret = finding
                    .affected
                    .iter()
                    .find(|affected| affected.contains(":secretsmanager:"))
                    .map_or("<secret arn>", |arn| crate::analyse::secret_arn(arn));
                let document = format!(
                    r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"{secret}"}}]}}"#
                );
                (
                    "Let the execution role read this one secret",
                    NO_IAM,
                    vec![
                        format!(
                            "aws iam put-role-policy --role-name {role} --policy-name read-secret --policy-document '{document}'"
                        ),
                        redeploy,
                    ],
                    Some(format!(
                        "Policies: [{{PolicyName: read-secret, PolicyDocument: {document}}}]"
                    )),
                )
            }
            "secret-not-found" | "secret-scheduled-for-deletion" | "secret-json-key-missing" => (
                "Make the secret have what the task definition asks for",
                "this program never reads or writes secret values",
                vec![
                    "aws secretsmanager describe-secret --secret-id <secret arn>".to_owned(),
                    "aws secretsmanager restore-secret --secret-id <secret arn>".to_owned(),
                    "aws secretsmanager put-secret-value --secret-id <secret arn> --secret-string file://<your file>".to_owned(),
                    redeploy,
                ],
                None,
            ),
            "private-subnet-no-nat-or-endpoint" | "route-blackhole-nat-deleted" => {
                let table = finding
                    .affected
                    .iter()
                    .find(|affected| affected.starts_with("rtb-"))
                    .map_or("<route table>", String::as_str);
                let nat = observation
                    .network
                    .nat_gateways
                    .iter()
                    .find(|nat| nat.state == "available")
                    .map_or("<nat gateway>", |nat| nat.id.as_str());
                let verb = if finding.mode == "route-blackhole-nat-deleted" { "replace-route" } else { "create-route" };
                (
                    "Give the subnets a way out again",
                    "routes and NAT gateways are shared by everything in the subnet and cost money",
                    vec![
                        format!(
                            "aws ec2 {verb} --region {region} --route-table-id {table} --destination-cidr-block 0.0.0.0/0 --nat-gateway-id {nat}"
                        ),
                        redeploy,
                    ],
                    Some(format!(
                        "Type: AWS::EC2::Route, Properties: {{RouteTableId: {table}, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: {nat}}}"
                    )),
                )
            }
            "no-container-instances" | "insufficient-memory-instances" | "insufficient-cpu-instances" => (
                "Give the cluster an instance with room",
                "instances belong to an Auto Scaling group that this program does not change",
                vec![
                    format!("aws ecs describe-clusters --region {region} --clusters {cluster} --include ATTACHMENTS"),
                    format!("aws autoscaling set-desired-capacity --region {region} --auto-scaling-group-name <group> --desired-capacity <count>"),
                ],
                Some("DesiredCapacity: <count>".to_owned()),
            ),
            "agent-disconnected" => (
                "Restart the agent, or replace the instance",
                "this program runs no commands on hosts",
                vec![
                    format!("aws ssm send-command --region {region} --instance-ids <instance> --document-name AWS-RunShellScript --parameters commands='systemctl restart ecs'"),
                    format!("aws ecs update-container-instances-state --region {region} --cluster {cluster} --container-instances <arn> --status DRAINING"),
                ],
                None,
            ),
            "sg-egress-blocked" => (
                "Open the way to what the program depends on",
                "the peer is known from the program's log only",
                vec![format!(
                    "aws ec2 authorize-security-group-egress --region {region} --group-id {} --protocol tcp --port <port> --source-group <group of the dependency>",
                    finding.affected.iter().find(|a| a.starts_with("sg-")).map_or("<group>", String::as_str)
                )],
                None,
            ),
            "image-tag-not-found" | "image-repo-not-found" => (
                "Push the image, or deploy a revision with one that exists",
                "no image is known that ran healthy before",
                vec![format!("docker push {}", finding.affected.first().map_or("<image>", String::as_str)), redeploy],
                None,
            ),
            _ => (
                "Find out what changed and repair it by hand",
                "no repair can be derived from what was read",
                vec![
                    format!("aws ecs describe-services --region {region} --cluster {cluster} --services {name}"),
                    format!("aws ecs list-task-definitions --region {region} --family-prefix {} --sort DESC", family(observation)),
                ],
                None,
            ),
        };
    let already_back = service
        .events
        .iter()
        .take(20)
        .any(|event| event.message.contains("rolling back to deployment"));
    let title = if already_back {
        format!("{title}; until then the previous revision serves")
    } else {
        title.to_owned()
    };
    vec![Advice {
        title,
        why_a_person: why.to_owned(),
        commands,
        cloudformation,
        mode: finding.mode.clone(),
    }]
}

fn family(observation: &Observation) -> &str {
    observation
        .task_definition
        .as_ref()
        .map_or("<family>", |definition| definition.family.as_str())
}

fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
