//! An observation made ready for the analyses: what is current, what is history, and how to cite.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Citation, Confidence, Finding, Role, grounding, recurrence};
use crate::catalogue::{Catalogue, Mode};
use crate::observation::{
    Cited, ContainerDefinition, ContainerSnapshot, DeploymentSnapshot, EvidenceId, LogLine,
    Observation, ServiceEvent, TaskDefinitionSnapshot, TaskSnapshot,
};

/// An observation with the questions that every analysis asks it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) observation: &'a Observation,
    catalogue: &'a Catalogue,
    /// Failures up to here are history.
    settled_at: Option<DateTime<Utc>>,
    /// Revision of a deployment that failed and was rolled back from.
    pub(crate) rolled_back: Option<RolledBack>,
}

/// A deployment that the circuit breaker (or an alarm) took back.
#[derive(Debug, Clone)]
pub(crate) struct RolledBack {
    pub(crate) event: String,
    pub(crate) at: DateTime<Utc>,
}

impl<'a> View<'a> {
    pub(crate) fn new(observation: &'a Observation, catalogue: &'a Catalogue) -> Self {
        let service = &observation.service;
        let primary_since = primary(service).and_then(|deployment| deployment.created_at);
        let rolled_back = service
            .events
            .iter()
            .filter(|event| event.message.contains("rolling back to deployment"))
            .max_by_key(|event| event.at)
            // The rollback's own deployment may carry the time of the event or a later one; a
            // deployment that somebody started afterwards ends the story.
            .filter(|event| {
                primary(service).is_none_or(|deployment| {
                    event.message.contains(&deployment.id)
                        || primary_since.is_none_or(|since| since <= event.at)
                })
            })
            .map(|event| RolledBack {
                event: event.message.clone(),
                at: event.at,
            });
        let completed = primary(service).is_none_or(|deployment| {
            deployment
                .rollout_state
                .as_deref()
                .is_none_or(|s| s == "COMPLETED")
        });
        let steady_at = service
            .events
            .iter()
            .filter(|event| event.message.contains("has reached a steady state"))
            .map(|event| event.at)
            .max();
        // Between two ends of a task that always ends, ECS may call the service steady.
        let ends = observation
            .tasks
            .iter()
            .map(|task| &task.value)
            .filter(|task| task.task_definition == service.task_definition && is_failure(task));
        let goes_on = recurrence::began(ends, observation.observed_at)
            // So that the first end is no history.
            .map(|began| began - TimeDelta::milliseconds(1));
        let settled_at = match completed {
            true => steady_at.map(|steady| goes_on.map_or(steady, |began| steady.min(began))),
            false => None,
        };
        Self {
            observation,
            catalogue,
            settled_at,
            rolled_back,
        }
    }

    pub(crate) fn primary(&self) -> Option<&'a DeploymentSnapshot> {
        primary(&self.observation.service)
    }

    /// Tasks that ended against the service's will, and are not history.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &'a Cited<TaskSnapshot>> {
        self.observation
            .tasks
            .iter()
            .filter(|task| task.last_status == "STOPPED" && is_failure(task))
            .filter(move |task| self.is_current(task))
    }

    fn is_current(&self, task: &TaskSnapshot) -> bool {
        let Some(settled_at) = self.settled_at else {
            return self.of_present_interest(task);
        };
        // What a rolled-back deployment left behind explains why nothing new can be deployed.
        let of_rolled_back_revision = self.rolled_back.is_some()
            && task.task_definition != self.observation.service.task_definition;
        of_rolled_back_revision || task.stopped_at.is_none_or(|stopped| stopped > settled_at)
    }

    /// While a deployment is under way, what the one before it left behind no longer matters.
    fn of_present_interest(&self, task: &TaskSnapshot) -> bool {
        let Some(primary) = self.primary() else {
            return true;
        };
        let deployed = self
            .observation
            .service
            .deployments
            .iter()
            .any(|deployment| deployment.task_definition == task.task_definition);
        deployed
            || self.rolled_back.is_some()
            || task.stopped_at >= primary.created_at
            || task.created_at >= primary.created_at
    }

    /// Whether something of that time is not history.
    pub(crate) fn is_recent(&self, at: DateTime<Utc>) -> bool {
        self.settled_at.is_none_or(|settled| at > settled)
    }

    /// Events that are not history, newest first.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'a ServiceEvent> {
        let since = self
            .settled_at
            .or_else(|| self.primary().and_then(|primary| primary.created_at));
        self.observation
            .service
            .events
            .iter()
            .filter(move |event| since.is_none_or(|since| event.at >= since))
            .filter(|event| !event.message.contains("has reached a steady state"))
    }

    pub(crate) fn event_saying(&self, fragment: &str) -> Option<&'a ServiceEvent> {
        self.events()
            .find(|event| plain(&event.message).contains(fragment))
    }

    /// The task definition with this ARN.
    pub(crate) fn revision(&self, arn: &str) -> Option<&'a Cited<TaskDefinitionSnapshot>> {
        self.observation
            .task_definition
            .iter()
            .chain(&self.observation.other_task_definitions)
            .find(|definition| definition.arn == arn)
    }

    pub(crate) fn revision_of(
        &self,
        task: &TaskSnapshot,
    ) -> Option<&'a Cited<TaskDefinitionSnapshot>> {
        self.revision(&task.task_definition)
            .or(self.observation.task_definition.as_ref())
    }

    /// Log lines that a task wrote, optionally of one container, with the evidence they are in.
    pub(crate) fn lines_of(
        &self,
        task: &'a TaskSnapshot,
        container: Option<&'a str>,
    ) -> impl Iterator<Item = (EvidenceId, &'a LogLine)> {
        let id = task.arn.rsplit('/').next().unwrap_or(&task.arn);
        self.observation
            .log_groups
            .iter()
            .flat_map(|group| group.lines.iter().map(|line| (group.evidence, line)))
            .filter(move |(_, line)| line.stream.ends_with(id))
            .filter(move |(_, line)| {
                container.is_none_or(|name| line.stream.split('/').any(|part| part == name))
            })
    }

    /// The container that serves: the one behind the load balancer, else the first with a port,
    /// else the first.
    pub(crate) fn main_container(
        &self,
        definition: &'a TaskDefinitionSnapshot,
    ) -> Option<&'a ContainerDefinition> {
        let balanced = self
            .observation
            .service
            .load_balancers
            .first()
            .map(|(_, name, _)| name);
        definition
            .containers
            .iter()
            .find(|container| Some(&container.name) == balanced)
            .or_else(|| {
                definition
                    .containers
                    .iter()
                    .find(|c| !c.port_mappings.is_empty())
            })
            .or_else(|| definition.containers.first())
    }

    /// A draft of a finding of this mode; nothing if the catalogue does not know it.
    pub(crate) fn draft(&self, mode: &str) -> Option<Draft<'a>> {
        let mode = self.catalogue.mode(mode)?;
        Some(Draft::new(self.observation, mode))
    }

    /// Reads that failed and start with this prefix, such as `ec2:`.
    pub(crate) fn missing(&self, prefix: &str) -> bool {
        self.observation
            .gaps
            .iter()
            .any(|gap| gap.call.starts_with(prefix))
    }
}

/// A finding in the making.
#[derive(Debug)]
#[must_use]
pub(crate) struct Draft<'a> {
    observation: &'a Observation,
    finding: Finding,
}

impl<'a> Draft<'a> {
    fn new(observation: &'a Observation, mode: &Mode) -> Self {
        Self {
            observation,
            finding: Finding {
                mode: mode.id.clone(),
                title: mode.title.clone(),
                severity: mode.severity,
                confidence: Confidence::Medium,
                would_raise_confidence: Vec::new(),
                root_cause: String::new(),
                role: Role::Root,
                evidence: Vec::new(),
                affected: Vec::new(),
            },
        }
    }

    /// The one sentence, with names.
    pub(crate) fn because(mut self, sentence: String) -> Self {
        self.finding.root_cause = sentence;
        self
    }

    pub(crate) fn role(mut self, role: Role) -> Self {
        self.finding.role = role;
        self
    }

    /// High when the deciding read was made; otherwise medium, and what would raise it.
    pub(crate) fn decided(mut self, decided: bool, by: &str) -> Self {
        if decided {
            self.finding.confidence = Confidence::High;
        } else {
            self.finding.would_raise_confidence.push(by.to_owned());
        }
        self
    }

    pub(crate) fn at_most(mut self, confidence: Confidence) -> Self {
        self.finding.confidence = self.finding.confidence.min(confidence);
        self
    }

    /// Cites the first of the texts that the evidence really says; nothing if it says none.
    pub(crate) fn cite(mut self, evidence: EvidenceId, texts: &[&str]) -> Self {
        let quote = self
            .observation
            .evidence
            .find(evidence)
            .and_then(|evidence| {
                texts
                    .iter()
                    .find(|text| grounding::says(&evidence.content, text))
            });
        if let Some(quote) = quote {
            let citation = Citation {
                evidence,
                quote: (*quote).to_owned(),
            };
            if !self.finding.evidence.contains(&citation) {
                self.finding.evidence.push(citation);
            }
        }
        self
    }

    /// Cites why a task ended.
    pub(crate) fn cite_task(self, task: &Cited<TaskSnapshot>) -> Self {
        let container_reason = task.containers.iter().find_map(|c| c.reason.as_deref());
        self.cite(
            task.evidence,
            &[
                task.stopped_reason.as_deref().unwrap_or_default(),
                container_reason.unwrap_or_default(),
                task.stop_code.as_deref().unwrap_or_default(),
                &task.arn,
            ],
        )
        .affects(&task.arn)
    }

    /// Cites a container's words and exit code.
    pub(crate) fn cite_container(
        self,
        task: &Cited<TaskSnapshot>,
        container: &ContainerSnapshot,
    ) -> Self {
        let draft = match &container.reason {
            Some(reason) => self.cite(task.evidence, &[reason]),
            None => self,
        };
        match container.exit_code {
            Some(code) => draft.cite(
                task.evidence,
                &[
                    &format!("exitCode: {code}"),
                    &format!("exit_code: {code}"),
                    &code.to_string(),
                ],
            ),
            None => draft,
        }
    }

    /// Cites a service event.
    pub(crate) fn cite_event(self, event: &ServiceEvent) -> Self {
        let service = self.observation.service.evidence;
        self.cite(service, &[&event.message])
    }

    pub(crate) fn affects(mut self, name: &str) -> Self {
        if !self.finding.affected.iter().any(|known| known == name) {
            self.finding.affected.push(name.to_owned());
        }
        self
    }

    /// The finding, if it rests on anything.
    pub(crate) fn finish(self) -> Option<Finding> {
        (!self.finding.evidence.is_empty()).then_some(self.finding)
    }
}

fn primary(service: &crate::observation::ServiceSnapshot) -> Option<&DeploymentSnapshot> {
    service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY")
}

/// Whether a stopped task was a failure: what ECS or a person asked for is none.
fn is_failure(task: &TaskSnapshot) -> bool {
    let reason = plain(task.stopped_reason.as_deref().unwrap_or_default());
    match task.stop_code.as_deref() {
        Some("TaskFailedToStart" | "EssentialContainerExited") => true,
        Some("UserInitiated" | "SpotInterruption" | "TerminationNotice") => false,
        _ => {
            reason.contains("health checks")
                || reason.contains("Error")
                || reason.contains("Essential container in task exited")
        }
    }
}

/// Why a task ended: its own reason and those of its containers, with plain apostrophes.
pub(crate) fn reasons(task: &TaskSnapshot) -> String {
    let mut text = plain(task.stopped_reason.as_deref().unwrap_or_default());
    for reason in task
        .containers
        .iter()
        .filter_map(|container| container.reason.as_deref())
    {
        text.push('\n');
        text.push_str(&plain(reason));
    }
    text
}

/// AWS writes both ’ and '.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\u{2019}', "'")
}

/// The last part of an ARN, for a sentence.
pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Whether a text has any of the fragments.
pub(crate) fn has_any(text: &str, fragments: &[&str]) -> bool {
    fragments.iter().any(|fragment| text.contains(fragment))
}
