//! One scenario: a fresh lab, the agent as a person would use it, and what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ecs_agent_core::{
    Input, InvocationResult, InvocationSettings, InvocationStatus, Mode, OpenInterrupt,
    Permissions, Silent, invoke,
};
use ecs_agent_credentials::Sources;
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, Scenario, Target};
use ecs_agent_runtime::{EventBody, ThreadId};
use ecs_agent_store::{Seq, Store, TenantScope};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::depth::longest_chain;
use super::score::{Said, Score, sorted};
use crate::args::OutputFlags;
use crate::commands::start_thread;
use crate::config::Configuration;
use crate::error::CliError;
use crate::lab_process;
use crate::output::Output;
use crate::workplace;

/// How much faster than ours a lab's time passes while a repair is watched.
const SPEED: f64 = 10_000.0;

/// Most questions and approvals of one scenario; more is going round in circles.
const MOST_ANSWERS: usize = 4;

/// How far each scenario is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To the diagnosis.
    Diagnosis,
    /// To the verified repair: every plan is approved.
    Repair,
}

/// Plays scenarios.
#[derive(Debug)]
pub(crate) struct Evaluator<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) flags: &'a OutputFlags,
    pub(crate) output: &'a Output,
    pub(crate) phase: Phase,
    /// Delay of every answer of the lab, so that round trips can be counted.
    pub(crate) delay: Duration,
    pub(crate) cancel: CancellationToken,
}

impl Evaluator<'_> {
    /// Plays one scenario. A run that breaks off is a score too: nothing was right.
    pub(crate) async fn play(&self, scenario: Scenario) -> Score {
        let (name, truth) = (scenario.name().to_owned(), scenario.truth().clone());
        match self.played(scenario).await {
            Ok(score) => score,
            Err(error) => Score::broken(&name, &truth, error.to_string()),
        }
    }

    async fn played(&self, scenario: Scenario) -> Result<Score, CliError> {
        let name = scenario.name().to_owned();
        let words = scenario.request().to_owned();
        let lab = LabServer::start(LabConfig::new(scenario).latency(self.delay)).await?;
        let lab = Arc::new(lab);
        let truth = lab.truth().clone();
        let mut conversation = self.conversation(&lab, &words).await?;

        let started = Instant::now();
        let mut result = conversation.say(Input::Say(words)).await?;
        let mut identified = true;
        if let Some(question) = open(&result, "question") {
            let choice = option_for(&truth.target, &question);
            identified = truth.ambiguous && choice.is_some();
            if let Some(choice) = choice {
                let answer = json!({ "choice": choice });
                result = conversation.say(answered(&question, answer)).await?;
            }
        } else if truth.ambiguous {
            identified = false;
        }
        let wall = started.elapsed();
        let requests = lab.requests();
        let said = Said::by(&result);
        let found = said.roots();
        let expected = sorted(&truth.causes);

        let repaired = match (self.phase, truth.repairable && !truth.needs_person) {
            (Phase::Repair, true) => Some(conversation.repair(result, &lab).await?),
            (Phase::Repair, false) | (Phase::Diagnosis, _) => None,
        };
        Ok(Score {
            identified: identified && said.is_about(&truth.target),
            root_cause_exact: found == unique(&expected),
            false_causes: found
                .iter()
                .filter(|cause| !expected.contains(cause))
                .cloned()
                .collect(),
            gaps_named: said.gaps_named(&requests),
            grounded: said.grounded(),
            repaired,
            bystanders_touched: !lab.health().bystanders_untouched,
            api_calls: requests.len(),
            depth: longest_chain(requests.iter().map(|request| request.span).collect()),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            tokens: conversation.tokens().await?,
            scenario: name,
            expected,
            found,
            error: None,
        })
    }

    async fn conversation(
        &self,
        lab: &Arc<LabHandle>,
        words: &str,
    ) -> Result<Conversation<'_>, CliError> {
        let target = &lab.truth().target;
        let is_targets = |account: &&LabAccount| {
            target
                .account
                .as_ref()
                .is_none_or(|id| *id == account.account_id)
        };
        let account = lab.accounts().iter().find(is_targets).cloned();
        let account = account.ok_or(CliError::EmptyLab)?;
        let region = target.region.as_ref().or(account.regions.first());
        let region = region.ok_or(CliError::EmptyLab)?;
        let store = Store::memory().await?;
        let thread = start_thread(&store, words).await?;
        let mode = match self.phase {
            Phase::Diagnosis => Mode::Diagnose,
            Phase::Repair => Mode::Repair,
        };
        let settings = workplace::settings(
            self.configuration,
            lab_process::place(lab, &account, region, SPEED)?,
            store,
            mode,
            self.flags,
            self.output,
        )?;
        Ok(Conversation {
            settings: InvocationSettings {
                progress: Arc::new(Silent),
                permissions: Permissions {
                    allow_write: true,
                    person_may_execute: true,
                    ..settings.permissions
                },
                ..settings
            },
            configuration: self.configuration,
            account,
            thread,
            cancel: self.cancel.clone(),
        })
    }
}

/// One thread with the agent.
struct Conversation<'a> {
    settings: InvocationSettings,
    configuration: &'a Configuration,
    account: LabAccount,
    thread: ThreadId,
    cancel: CancellationToken,
}

impl Conversation<'_> {
    async fn say(&mut self, input: Input) -> Result<InvocationResult, CliError> {
        let sources: Sources = lab_process::sources(&self.account, self.configuration)?;
        let settings = self.settings.clone();
        Ok(invoke(settings, sources, self.thread, input, self.cancel.clone()).await?)
    }

    /// Approves whatever is planned, and returns whether the lab calls the service healthy then.
    async fn repair(
        &mut self,
        mut result: InvocationResult,
        lab: &LabHandle,
    ) -> Result<bool, CliError> {
        for _ in 0..MOST_ANSWERS {
            let Some(approval) = open(&result, "approval") else {
                break;
            };
            let answer = json!({"decisions": [{"type": "approve"}]});
            result = self.say(answered(&approval, answer)).await?;
        }
        Ok(lab.health().healthy)
    }

    /// Tokens of all model calls of the thread.
    async fn tokens(&self) -> Result<u64, CliError> {
        let store = &self.settings.store;
        let events = store
            .events(&TenantScope::local(), self.thread, Seq::START)
            .await?;
        let used = events.iter().filter_map(|stored| {
            let (EventBody::ModelReplied { usage, .. } | EventBody::ModelFailed { usage, .. }) =
                &stored.event.body
            else {
                return None;
            };
            Some(usage.total())
        });
        Ok(used.sum())
    }
}

/// The open interrupt of this kind.
fn open(result: &InvocationResult, kind: &str) -> Option<OpenInterrupt> {
    let InvocationStatus::Interrupted(open) = &result.status else {
        return None;
    };
    let of_kind = |one: &&OpenInterrupt| one.payload.get("kind").is_some_and(|k| k == kind);
    open.iter().find(of_kind).cloned()
}

/// The id of the option that is the service that was meant, if it is offered.
fn option_for(meant: &Target, question: &OpenInterrupt) -> Option<String> {
    let wanted = format!("/{}/{}", meant.cluster, meant.service);
    let options = question.payload.get("options")?.as_array()?;
    options
        .iter()
        .filter_map(|option| option.get("id")?.as_str())
        .find(|id| id.ends_with(&wanted))
        .map(str::to_owned)
}

fn answered(question: &OpenInterrupt, answer: serde_json::Value) -> Input {
    Input::Answer {
        interrupt: question.id,
        answer,
        by: "evaluation".to_owned(),
    }
}

fn unique(causes: &[String]) -> Vec<String> {
    let causes: BTreeSet<&String> = causes.iter().collect();
    causes.into_iter().cloned().collect()
}
