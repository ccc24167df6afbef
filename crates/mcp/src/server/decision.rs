//! A person's decision on a plan, asked through the client.
//!
//! Clients of the protocol up to 2025-11-25 are sent an elicitation while the call goes on; later
//! ones get an input request as the call's result and repeat the call with the answer. Either way
//! the person sees the program's own rendering of the plan, and their answer is bound to its hash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecs_agent_runtime::ThreadId;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    EnumSchema, InputRequest, InputRequests, InputRequiredResult, InputResponses,
    PrimitiveSchemaDefinition, ProtocolVersion, RequestStateCodec, SealOptions, StringSchema,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};

use super::backend::BackendError;
use super::message::WaitingPlan;

/// How long a person may think. Shorter than an approval lives, so that a plan that was approved
/// at the last moment can still be carried out.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How often a person is asked about one plan: an assistant that goes on asking wears them down.
const MOST_PROMPTS: u32 = 3;
/// Plans whose prompts are remembered.
const MOST_PLANS: usize = 1_000;

/// The one question of a call.
const QUESTION: &str = "approval";
/// The member of the answer that decides.
const DECISION: &str = "decision";
/// The member that says why not.
const REASON: &str = "reason";
const APPROVE: &str = "approve";
const REJECT: &str = "reject";
/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// What a person decided about one plan of one thread.
///
/// There is no way to make one but out of the answer to a question that the person's own client
/// put to them: arguments of a tool, which a model writes, never become one.
///
/// ```compile_fail
/// let decision = ecs_agent_mcp::PlanDecision { verdict: todo!() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanDecision {
    thread: ThreadId,
    plan_hash: String,
    verdict: Verdict,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry it out.
    Approve,
    /// Do not.
    Reject {
        /// Why, in the person's words.
        reason: String,
    },
}

impl PlanDecision {
    /// Whose plan it is.
    #[must_use]
    pub const fn thread(&self) -> ThreadId {
        self.thread
    }

    /// The plan that the person saw.
    #[must_use]
    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }

    /// What they said.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// What became of the question.
pub(super) enum Asked {
    /// The person decided.
    Decided(PlanDecision),
    /// They closed the question, or were not there in time.
    Unanswered,
    /// The client is to ask them and to call again.
    Elsewhere(InputRequiredResult),
}

/// No random bytes: no question can be sealed.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// Asks people through their clients, and knows its own questions again.
#[derive(Debug, Clone)]
pub(super) struct Approvals {
    seal: RequestStateCodec,
    /// How often each plan was asked about, by its hash.
    prompts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Approvals {
    /// With a key of its own, which lives as long as the program.
    pub(super) fn new() -> Result<Self, NoRandomness> {
        let mut key = zeroize::Zeroizing::new([0_u8; RequestStateCodec::MIN_KEY_LENGTH]);
        getrandom::fill(&mut *key).map_err(|_| NoRandomness)?;
        let seal = RequestStateCodec::try_new(key.to_vec()).map_err(|_| NoRandomness)?;
        Ok(Self {
            seal,
            prompts: Arc::default(),
        })
    }

    /// Puts the plan to the person.
    ///
    /// # Errors
    /// If the client cannot ask, or answers a question that was not put.
    pub(super) async fn ask(
        &self,
        thread: ThreadId,
        waiting: &WaitingPlan,
        answered: Answered,
        context: &RequestContext<RoleServer>,
    ) -> Result<Asked, BackendError> {
        let plan_hash = waiting.plan_hash.as_str();
        let decided = |verdict| {
            Asked::Decided(PlanDecision {
                thread,
                plan_hash: plan_hash.to_owned(),
                verdict,
            })
        };
        if !can_ask(context) {
            return Err(BackendError::new(format!(
                "this client cannot put a question to its person (it does not declare MCP elicitation), so the plan \
                 cannot be approved here and nothing was changed; it waits for `ecs-deep-agent resume {thread}`"
            )));
        }
        let binding = binding(thread, plan_hash);
        let answer = match answered {
            Answered::Here { state, responses } => {
                self.check(&state, &binding)?;
                let answer = responses.get(QUESTION).cloned().ok_or_else(|| {
                    BackendError::new(format!("the answer to `{QUESTION}` is missing"))
                })?;
                serde_json::from_value(answer).map_err(|error| {
                    BackendError::new(format!("the answer to `{QUESTION}` is none: {error}"))
                })?
            }
            Answered::NotYet if asks_elsewhere(context) => {
                self.count(thread, plan_hash)?;
                let options = SealOptions::new().associated_data(&binding).ttl(PATIENCE);
                let state = self.seal.seal_with(QUESTION.as_bytes(), &options);
                let question = InputRequest::Elicitation(ElicitRequest::new(question(waiting)));
                let questions = InputRequests::from([(QUESTION.to_owned(), question)]);
                return Ok(Asked::Elsewhere(InputRequiredResult::new(
                    Some(questions),
                    Some(state),
                )));
            }
            Answered::NotYet => {
                self.count(thread, plan_hash)?;
                match put(&context.peer, waiting).await {
                    Some(answer) => answer,
                    None => return Ok(Asked::Unanswered),
                }
            }
        };
        Ok(verdict(&answer).map_or(Asked::Unanswered, decided))
    }

    /// Counts a question, and refuses one too many.
    fn count(&self, thread: ThreadId, plan_hash: &str) -> Result<(), BackendError> {
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        if prompts.len() >= MOST_PLANS && !prompts.contains_key(plan_hash) {
            prompts.clear();
        }
        let asked = prompts.entry(plan_hash.to_owned()).or_default();
        if *asked >= MOST_PROMPTS {
            return Err(BackendError::new(format!(
                "the person was asked about this plan {MOST_PROMPTS} times and is not asked again here; it waits for \
                 `ecs-deep-agent resume {thread}`"
            )));
        }
        *asked += 1;
        Ok(())
    }

    /// Whether the answer is to a question that this program put, about this plan, and in time.
    fn check(&self, state: &str, binding: &[u8]) -> Result<(), BackendError> {
        match self.seal.open_with(state, binding) {
            Ok(sealed) if sealed == QUESTION.as_bytes() => Ok(()),
            Ok(_) | Err(_) => Err(BackendError::new(
                "the answer is to no question of this server, to one about another plan, or too late; call \
                 execute_repair again without it",
            )),
        }
    }
}

/// What a call brings along.
pub(super) enum Answered {
    /// Nothing: the person has not been asked.
    NotYet,
    /// The answers to the questions of an earlier call, and that call's seal.
    Here {
        state: String,
        responses: InputResponses,
    },
}

impl Answered {
    pub(super) fn of(state: Option<String>, responses: Option<InputResponses>) -> Self {
        match (state, responses) {
            (Some(state), Some(responses)) => Self::Here { state, responses },
            // An answer without the seal of its question answers nothing.
            (None | Some(_), _) => Self::NotYet,
        }
    }
}

/// Whether the client can show its person a form.
fn can_ask(context: &RequestContext<RoleServer>) -> bool {
    context
        .client_capabilities()
        .and_then(|capabilities| capabilities.elicitation)
        // One that names no kind of question shows forms: there was no other at first.
        .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}

/// Whether the client's protocol has no requests from the server.
fn asks_elsewhere(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

fn binding(thread: ThreadId, plan_hash: &str) -> Vec<u8> {
    format!("execute_repair\n{thread}\n{plan_hash}").into_bytes()
}

/// What the person is shown: the program's own rendering, in full.
fn question(waiting: &WaitingPlan) -> ElicitRequestParams {
    let decision = EnumSchema::builder(vec![APPROVE.to_owned(), REJECT.to_owned()])
        .title("Carry out this plan?")
        .untitled()
        .build();
    let reason = StringSchema::new()
        .title("Why not, if you reject it")
        .max_length(500);
    let schema = ElicitationSchema::new(BTreeMap::from([
        (
            DECISION.to_owned(),
            PrimitiveSchemaDefinition::Enum(decision),
        ),
        (REASON.to_owned(), PrimitiveSchemaDefinition::String(reason)),
    ]))
    .with_required(vec![DECISION.to_owned()]);
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!(
            "{}\n\nPlan {}. Approve only what you have read: it changes AWS.",
            waiting.rendered.trim_end(),
            waiting.plan_hash
        ),
        requested_schema: schema,
    }
}

/// Asks while the call goes on. A client that fails to ask, or a person who is too slow, has not
/// answered.
async fn put(peer: &Peer<RoleServer>, waiting: &WaitingPlan) -> Option<ElicitResult> {
    peer.create_elicitation_with_timeout(question(waiting), Some(PATIENCE))
        .await
        .inspect_err(|error| tracing::info!(%error, "a plan was not decided about"))
        .ok()
}

/// Reads an answer. Only a form that was sent off with the one right word is a yes.
fn verdict(answer: &ElicitResult) -> Option<Verdict> {
    let text = |member: &str| {
        answer
            .content
            .as_ref()
            .and_then(|content| content.get(member))
            .and_then(serde_json::Value::as_str)
    };
    match (&answer.action, text(DECISION)) {
        (ElicitationAction::Accept, Some(APPROVE)) => Some(Verdict::Approve),
        (ElicitationAction::Accept, Some(REJECT)) | (ElicitationAction::Decline, _) => {
            Some(Verdict::Reject {
                reason: text(REASON)
                    .map(str::trim)
                    .filter(|reason| !reason.is_empty())
                    .unwrap_or("no reason given")
                    .chars()
                    .take(LONGEST_REASON)
                    .collect(),
            })
        }
        // Closed, or a form without a word that can be read: not decided.
        _ => None,
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
