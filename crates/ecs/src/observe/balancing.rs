//! Target groups, their targets, and the load balancers in front of them.

use super::{Recorder, each, map};
use crate::aws::{AwsClients, Page, Pages, Reading, Source, collect_pages};
use crate::observation::{
    Cited, ListenerSnapshot, LoadBalancerSnapshot, ServiceSnapshot, TargetGroupSnapshot,
    TargetSnapshot,
};

/// The service's target groups and the health of their targets.
#[derive(Debug)]
pub(crate) struct TargetGroupReadings {
    groups: Option<Reading<Vec<TargetGroupSnapshot>>>,
    health: Vec<(String, Reading<Vec<TargetSnapshot>>)>,
}

pub(crate) async fn target_groups(
    clients: &AwsClients,
    service: &ServiceSnapshot,
) -> TargetGroupReadings {
    let mut arns: Vec<String> = service
        .load_balancers
        .iter()
        .map(|(group, _, _)| group.clone())
        .filter(|arn| !arn.is_empty())
        .collect();
    arns.sort();
    arns.dedup();
    if arns.is_empty() {
        return TargetGroupReadings {
            groups: None,
            health: Vec::new(),
        };
    }
    let (groups, health) = tokio::join!(
        describe_target_groups(clients, &arns),
        each(&arns, |arn| async move {
            (arn.clone(), target_health(clients, arn).await)
        }),
    );
    TargetGroupReadings {
        groups: Some(groups),
        health,
    }
}

pub(crate) async fn describe_target_groups(
    clients: &AwsClients,
    arns: &[String],
) -> Reading<Vec<TargetGroupSnapshot>> {
    let request = clients
        .balancing
        .describe_target_groups()
        .set_target_group_arns(Some(arns.to_vec()));
    clients
        .read(
            "elasticloadbalancing:DescribeTargetGroups",
            arns.join(","),
            |receipt| request.customize().interceptor(receipt).send(),
        )
        .await
        .map(|answer| {
            answer
                .target_groups()
                .iter()
                .map(map::target_group)
                .collect()
        })
}

pub(crate) async fn target_health(clients: &AwsClients, arn: &str) -> Reading<Vec<TargetSnapshot>> {
    let request = clients
        .balancing
        .describe_target_health()
        .target_group_arn(arn);
    clients
        .read(
            "elasticloadbalancing:DescribeTargetHealth",
            arn,
            |receipt| request.customize().interceptor(receipt).send(),
        )
        .await
        .map(|answer| {
            answer
                .target_health_descriptions()
                .iter()
                .map(|target| map::target(target, &clients.cleaner))
                .collect()
        })
}

impl TargetGroupReadings {
    /// Records each target group together with its targets.
    pub(crate) fn record(self, recorder: &mut Recorder) -> Vec<Cited<TargetGroupSnapshot>> {
        let groups = self.groups.and_then(|groups| recorder.take(groups));
        let health: Vec<_> = self
            .health
            .into_iter()
            .filter_map(|(arn, reading)| Some((arn, recorder.take(reading)?)))
            .collect();
        let Some((described, groups)) = groups else {
            return Vec::new();
        };
        groups
            .into_iter()
            .map(|mut group| {
                let targets = health.iter().find(|(arn, _)| *arn == group.arn);
                let source = match targets {
                    Some((_, (source, targets))) => {
                        group.targets.clone_from(targets);
                        source.clone()
                    }
                    None => Source {
                        subject: group.arn.clone(),
                        ..described.clone()
                    },
                };
                recorder.cite(&source, group)
            })
            .collect()
    }
}

/// Load balancers and their listeners, before their rules are known.
#[derive(Debug)]
pub(crate) struct BalancerReadings {
    balancers: Option<Reading<Vec<LoadBalancerSnapshot>>>,
    listeners: Vec<(String, Reading<Pages<ListenerSnapshot>>)>,
    rules: Vec<(String, Reading<Pages<String>>)>,
}

pub(crate) async fn load_balancers(
    clients: &AwsClients,
    groups: &[Cited<TargetGroupSnapshot>],
) -> BalancerReadings {
    let mut arns: Vec<String> = groups
        .iter()
        .flat_map(|group| group.load_balancer_arns.clone())
        .collect();
    arns.sort();
    arns.dedup();
    if arns.is_empty() {
        return BalancerReadings {
            balancers: None,
            listeners: Vec::new(),
            rules: Vec::new(),
        };
    }
    let request = clients
        .balancing
        .describe_load_balancers()
        .set_load_balancer_arns(Some(arns.clone()));
    let (balancers, listeners) = tokio::join!(
        clients.read(
            "elasticloadbalancing:DescribeLoadBalancers",
            arns.join(","),
            |receipt| { request.customize().interceptor(receipt).send() }
        ),
        each(&arns, |arn| async move {
            (arn.clone(), listeners(clients, arn).await)
        }),
    );
    let balancers = balancers.map(|answer| {
        answer
            .load_balancers()
            .iter()
            .map(map::load_balancer)
            .collect()
    });
    BalancerReadings {
        balancers: Some(balancers),
        listeners,
        rules: Vec::new(),
    }
}

async fn listeners(clients: &AwsClients, balancer: &str) -> Reading<Pages<ListenerSnapshot>> {
    collect_pages(5, |token| {
        let request = clients
            .balancing
            .describe_listeners()
            .load_balancer_arn(balancer)
            .set_marker(token);
        async move {
            clients
                .read(
                    "elasticloadbalancing:DescribeListeners",
                    balancer,
                    |receipt| request.customize().interceptor(receipt).send(),
                )
                .await
                .map(|answer| {
                    let items = answer.listeners().iter().map(map::listener).collect();
                    Page::new(Some(items), answer.next_marker)
                })
        }
    })
    .await
}

async fn forwarded_by_rules(clients: &AwsClients, listener: &str) -> Reading<Pages<String>> {
    collect_pages(5, |token| {
        let request = clients
            .balancing
            .describe_rules()
            .listener_arn(listener)
            .set_marker(token);
        async move {
            clients
                .read("elasticloadbalancing:DescribeRules", listener, |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| {
                    let groups = answer
                        .rules()
                        .iter()
                        .flat_map(|rule| map::forwards_to(rule.actions()))
                        .collect();
                    Page::new(Some(groups), answer.next_marker)
                })
        }
    })
    .await
}

impl BalancerReadings {
    /// Security groups of the load balancers.
    pub(crate) fn security_groups(&self) -> Vec<String> {
        self.balancers
            .iter()
            .filter_map(Reading::answer)
            .flatten()
            .flat_map(|balancer| balancer.security_groups.clone())
            .collect()
    }

    /// Reads the rules of every listener that has rules: those of application load balancers.
    pub(crate) async fn rules(self, clients: &AwsClients) -> Self {
        let arns: Vec<String> = self
            .listeners
            .iter()
            .filter_map(|(_, reading)| reading.answer())
            .flat_map(|pages| &pages.items)
            .filter(|listener| {
                listener
                    .protocol
                    .as_deref()
                    .is_some_and(|protocol| protocol.starts_with("HTTP"))
            })
            .map(|listener| listener.arn.clone())
            .collect();
        let rules = each(&arns, |arn| async move {
            (arn.clone(), forwarded_by_rules(clients, arn).await)
        })
        .await;
        Self { rules, ..self }
    }

    /// Records each load balancer with its listeners and what they forward to.
    pub(crate) fn record(self, recorder: &mut Recorder) -> Vec<Cited<LoadBalancerSnapshot>> {
        let balancers = self
            .balancers
            .and_then(|balancers| recorder.take(balancers));
        let mut listeners: Vec<(String, Vec<ListenerSnapshot>)> = self
            .listeners
            .into_iter()
            .map(|(arn, reading)| {
                (
                    arn,
                    recorder
                        .take_all(reading)
                        .into_iter()
                        .map(|(_, item)| item)
                        .collect(),
                )
            })
            .collect();
        for (arn, reading) in self.rules {
            let forwards = recorder
                .take_all(reading)
                .into_iter()
                .map(|(_, group)| group);
            let listener = listeners
                .iter_mut()
                .flat_map(|(_, list)| list)
                .find(|listener| listener.arn == arn);
            if let Some(listener) = listener {
                listener.forwards_to.extend(forwards);
                listener.forwards_to.sort();
                listener.forwards_to.dedup();
            }
        }
        let Some((source, balancers)) = balancers else {
            return Vec::new();
        };
        balancers
            .into_iter()
            .map(|mut balancer| {
                if let Some((_, found)) = listeners.iter().find(|(arn, _)| *arn == balancer.arn) {
                    balancer.listeners.clone_from(found);
                }
                let source = Source {
                    subject: balancer.arn.clone(),
                    ..source.clone()
                };
                recorder.cite(&source, balancer)
            })
            .collect()
    }
}
