//! Execution role and task role.

use ecs_agent_credentials::{AccountId, RoleArn};
use futures_util::future::join_all;

use super::map::{self, ImageReference};
use super::{Recorder, each};
use crate::aws::{AwsClients, Page, Pages, Reading, Source, collect_pages};
use crate::observation::{
    Cited, EvidenceId, RoleSnapshot, SimulatedAction, TaskDefinitionSnapshot,
};

/// Actions on resources that the execution role needs for one purpose.
#[derive(Debug, PartialEq, Eq)]
struct Needs {
    actions: &'static [&'static str],
    resources: Vec<String>,
}

/// What was read about each role.
#[derive(Debug)]
pub(crate) struct RoleReadings(Vec<RoleReading>);

#[derive(Debug)]
struct RoleReading {
    arn: RoleArn,
    purpose: &'static str,
    role: Reading<Vec<String>>,
    attached: Reading<Pages<String>>,
    inline: Reading<Pages<String>>,
    simulated: Vec<Reading<Pages<SimulatedAction>>>,
}

pub(crate) async fn read(
    clients: &AwsClients,
    account: &AccountId,
    definition: Option<&TaskDefinitionSnapshot>,
) -> RoleReadings {
    let Some(definition) = definition else {
        return RoleReadings(Vec::new());
    };
    let role = |arn: &Option<String>| arn.as_deref()?.parse::<RoleArn>().ok();
    let roles: Vec<(RoleArn, &'static str)> = [
        (role(&definition.execution_role_arn), "execution"),
        (role(&definition.task_role_arn), "task"),
    ]
    .into_iter()
    .filter_map(|(arn, purpose)| Some((arn?, purpose)))
    .collect();
    let needs = execution_needs(definition, clients.region().as_str(), account);
    let readings = each(&roles, |(arn, purpose)| {
        let needs: &[Needs] = if *purpose == "execution" { &needs } else { &[] };
        read_role(clients, arn, purpose, needs)
    });
    RoleReadings(readings.await)
}

/// What the ECS agent does with the execution role for this task definition.
fn execution_needs(
    definition: &TaskDefinitionSnapshot,
    region: &str,
    account: &AccountId,
) -> Vec<Needs> {
    let arn =
        |service: &str, resource: &str| format!("arn:aws:{service}:{region}:{account}:{resource}");
    let (mut repositories, mut groups, mut secrets, mut parameters) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for container in &definition.containers {
        let image = ImageReference::parse(&container.image);
        if let (Some(owner), Some(place)) = (&image.ecr_account, &image.ecr_region) {
            repositories.push(format!(
                "arn:aws:ecr:{place}:{owner}:repository/{}",
                image.repository
            ));
        }
        let group = container
            .log_configuration
            .as_ref()
            .and_then(|log| log.group.as_deref());
        groups.extend(group.map(|group| arn("logs", &format!("log-group:{group}:log-stream:*"))));
        for secret in &container.secrets {
            let from = &secret.value_from;
            if from.contains(":secretsmanager:") {
                // `…:secret:NAME:json-key:stage:id` names a key inside the secret.
                secrets.push(from.split(':').take(7).collect::<Vec<_>>().join(":"));
            } else if from.starts_with("arn:") {
                parameters.push(from.clone());
            } else {
                parameters.push(arn(
                    "ssm",
                    &format!("parameter/{}", from.trim_start_matches('/')),
                ));
            }
        }
    }
    let mut needs = Vec::new();
    if !repositories.is_empty() {
        needs.push(Needs {
            actions: &["ecr:GetAuthorizationToken"],
            resources: Vec::new(),
        });
    }
    let lists: [(&'static [&'static str], Vec<String>); 4] = [
        (
            &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
            ],
            repositories,
        ),
        (&["logs:CreateLogStream", "logs:PutLogEvents"], groups),
        (&["secretsmanager:GetSecretValue"], secrets),
        (&["ssm:GetParameters"], parameters),
    ];
    for (actions, mut resources) in lists {
        resources.sort();
        resources.dedup();
        if !resources.is_empty() {
            needs.push(Needs { actions, resources });
        }
    }
    needs
}

async fn read_role(
    clients: &AwsClients,
    arn: &RoleArn,
    purpose: &'static str,
    needs: &[Needs],
) -> RoleReading {
    let name = arn.role_name();
    let get = clients.iam.get_role().role_name(name);
    let (role, attached, inline, simulated) = tokio::join!(
        clients.read("iam:GetRole", arn.to_string(), |receipt| {
            get.customize().interceptor(receipt).send()
        }),
        collect_pages(3, |token| {
            let request = clients
                .iam
                .list_attached_role_policies()
                .role_name(name)
                .set_marker(token);
            async move {
                clients
                    .read("iam:ListAttachedRolePolicies", arn.to_string(), |receipt| {
                        request.customize().interceptor(receipt).send()
                    })
                    .await
                    .map(|answer| {
                        let arns = answer
                            .attached_policies()
                            .iter()
                            .filter_map(|policy| policy.policy_arn())
                            .map(ToOwned::to_owned)
                            .collect();
                        Page::new(Some(arns), answer.marker)
                    })
            }
        }),
        collect_pages(3, |token| {
            let request = clients
                .iam
                .list_role_policies()
                .role_name(name)
                .set_marker(token);
            async move {
                clients
                    .read("iam:ListRolePolicies", arn.to_string(), |receipt| {
                        request.customize().interceptor(receipt).send()
                    })
                    .await
                    .map(|answer| Page::new(Some(answer.policy_names), answer.marker))
            }
        }),
        join_all(needs.iter().map(|needs| simulate(clients, arn, needs))),
    );
    let role = role.map(|answer| {
        answer
            .role()
            .and_then(|role| role.assume_role_policy_document())
            .map(map::trusted_services)
            .unwrap_or_default()
    });
    RoleReading {
        arn: arn.clone(),
        purpose,
        role,
        attached,
        inline,
        simulated,
    }
}

async fn simulate(
    clients: &AwsClients,
    arn: &RoleArn,
    needs: &Needs,
) -> Reading<Pages<SimulatedAction>> {
    collect_pages(3, |token| {
        let actions = needs
            .actions
            .iter()
            .map(|action| (*action).to_owned())
            .collect();
        let resources = (!needs.resources.is_empty()).then(|| needs.resources.clone());
        let request = clients
            .iam
            .simulate_principal_policy()
            .policy_source_arn(arn.to_string())
            .set_action_names(Some(actions))
            .set_resource_arns(resources)
            .set_marker(token);
        let subject = format!("{arn} {}", needs.actions.join(","));
        async move {
            clients
                .read("iam:SimulatePrincipalPolicy", subject, |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| {
                    let results = map::simulated_actions(answer.evaluation_results());
                    Page::new(Some(results), answer.marker)
                })
        }
    })
    .await
}

impl RoleReadings {
    /// Records each role; one of which nothing could be read cites `fallback`, where it is named.
    pub(crate) fn record(
        self,
        recorder: &mut Recorder,
        fallback: Option<EvidenceId>,
    ) -> Vec<Cited<RoleSnapshot>> {
        self.0
            .into_iter()
            .filter_map(|role| role.record(recorder, fallback))
            .collect()
    }
}

impl RoleReading {
    fn record(
        self,
        recorder: &mut Recorder,
        fallback: Option<EvidenceId>,
    ) -> Option<Cited<RoleSnapshot>> {
        let mut snapshot = RoleSnapshot {
            arn: self.arn.to_string(),
            purpose: self.purpose.to_owned(),
            ..RoleSnapshot::default()
        };
        let mut source: Option<Source> = None;
        match self.role.outcome {
            Ok(trusted) => {
                snapshot.exists = Some(true);
                snapshot.trusted_services = trusted;
                source = Some(self.role.source);
            }
            Err(error) if error.is_not_found() => {
                snapshot.exists = Some(false);
                return Some(recorder.cite(&self.role.source, snapshot));
            }
            Err(error) => recorder.failed(&self.role.source, &error),
        }
        let names = |recorder: &mut Recorder, reading| {
            recorder
                .take_all(reading)
                .into_iter()
                .map(|(_, name)| name)
                .collect()
        };
        snapshot.attached_policies = names(recorder, self.attached);
        snapshot.inline_policies = names(recorder, self.inline);
        for reading in self.simulated {
            for (from, action) in recorder.take_all(reading) {
                snapshot.simulated.push(action);
                source = Some(Source {
                    subject: snapshot.arn.clone(),
                    ..from
                });
            }
        }
        match source {
            Some(source) => Some(recorder.cite(&source, snapshot)),
            None => fallback.map(|evidence| Cited {
                value: snapshot,
                evidence,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ContainerDefinition, LogConfiguration, SecretReference};

    #[test]
    fn the_execution_role_needs_what_the_definition_names() {
        let account: AccountId = "123456789012".parse().unwrap();
        let secret = |value_from: &str| SecretReference {
            name: "X".to_owned(),
            value_from: value_from.to_owned(),
        };
        let definition = TaskDefinitionSnapshot {
            containers: vec![ContainerDefinition {
                image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1".to_owned(),
                secrets: vec![
                    secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:key::"),
                    secret("/prod/token"),
                ],
                log_configuration: Some(LogConfiguration {
                    driver: "awslogs".to_owned(),
                    group: Some("/ecs/api".to_owned()),
                    ..LogConfiguration::default()
                }),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinitionSnapshot::default()
        };
        let needs = execution_needs(&definition, "eu-west-1", &account);
        let resources: Vec<&str> = needs
            .iter()
            .flat_map(|needs| &needs.resources)
            .map(String::as_str)
            .collect();
        assert_eq!(
            resources,
            [
                "arn:aws:ecr:eu-west-1:123456789012:repository/api",
                "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/api:log-stream:*",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
                "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/token",
            ]
        );
        assert_eq!(needs[0].actions, ["ecr:GetAuthorizationToken"]);
        assert!(
            execution_needs(&TaskDefinitionSnapshot::default(), "eu-west-1", &account).is_empty()
        );
    }
}
