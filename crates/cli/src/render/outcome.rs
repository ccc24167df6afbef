//! What an invocation came to: one view for the exit code and for every form of output.

use std::collections::BTreeMap;

use ecs_agent_core::{InvocationResult, InvocationStatus, OpenInterrupt};
use ecs_agent_ecs::{Diagnosis, StepOutcome, Verification, VerificationState};
use ecs_agent_runtime::{EventBody, ToolStatus, Usage};
use ecs_agent_store::{AuditChain, StoredEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::exit::Exit;

/// Version of the JSON form; fields are added to it and never renamed.
const JSON_VERSION: u32 = 1;

/// What an invocation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    thread: String,
    invocation: String,
    status: &'static str,
    said: String,
    open: Vec<OpenInterrupt>,
    values: BTreeMap<String, Value>,
    files: BTreeMap<String, String>,
    calls: usize,
    context_cleared: bool,
    model: String,
    usage: Usage,
    audit: AuditChain,
}

/// The JSON form.
#[derive(Debug, Serialize)]
pub(crate) struct OutcomeView<'a> {
    version: u32,
    thread: &'a str,
    invocation: &'a str,
    status: &'a str,
    exit_code: u8,
    said: &'a str,
    open: Vec<Value>,
    service: &'a Value,
    diagnosis: &'a Value,
    claims: &'a Value,
    made_by: &'a Value,
    plan: &'a Value,
    execution: &'a Value,
    rollback: &'a Value,
    verification: &'a Value,
    files: &'a BTreeMap<String, String>,
    calls: usize,
    context_cleared: bool,
    model: ModelUse<'a>,
    audit: &'a AuditChain,
}

/// What the thread's model calls took, all its invocations together.
#[derive(Debug, Serialize)]
struct ModelUse<'a> {
    name: &'a str,
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    /// In US dollars; `null` where the price of a call is not known.
    cost_usd: Option<f64>,
}

impl Outcome {
    /// Judges a result; the thread's events tell why a specialist could not go on.
    pub(crate) fn of(result: InvocationResult, events: &[StoredEvent], model: &str) -> Self {
        let (status, said, open) = match &result.status {
            InvocationStatus::Done { text } => ("done", text.clone(), Vec::new()),
            InvocationStatus::Interrupted(open) => {
                ("interrupted", "a person is needed".to_owned(), open.clone())
            }
            InvocationStatus::Cancelled => ("cancelled", cancelled(&result.values), Vec::new()),
            InvocationStatus::BudgetExhausted { budget } => (
                "budget_exhausted",
                format!("the budget is spent: {budget}"),
                Vec::new(),
            ),
            InvocationStatus::Failed { error } => ("failed", error.clone(), Vec::new()),
        };
        Self {
            exit: exit(&result, events),
            thread: result.thread.to_string(),
            invocation: result.invocation.to_string(),
            status,
            said,
            open,
            values: result.values,
            files: result.files,
            calls: result.calls,
            context_cleared: result.context_cleared,
            model: model.to_owned(),
            usage: usage(events),
            audit: result.audit,
        }
    }

    /// The JSON form.
    pub(crate) fn view(&self) -> OutcomeView<'_> {
        OutcomeView {
            version: JSON_VERSION,
            thread: &self.thread,
            invocation: &self.invocation,
            status: self.status,
            exit_code: self.exit.code(),
            said: &self.said,
            open: self.open.iter().map(open_view).collect(),
            service: self.value("service_context"),
            diagnosis: self.value("diagnosis"),
            claims: self.value("claims").get("claims").unwrap_or(&Value::Null),
            made_by: self.value("made_by"),
            plan: self.value("plan"),
            execution: self.value("execution"),
            rollback: self.value("rollback"),
            verification: self.value("verification"),
            files: &self.files,
            calls: self.calls,
            context_cleared: self.context_cleared,
            model: ModelUse {
                name: &self.model,
                input_tokens: self.usage.input_tokens,
                output_tokens: self.usage.output_tokens,
                cache_read_tokens: self.usage.cache_read_tokens,
                cache_write_tokens: self.usage.cache_write_tokens,
                cost_usd: self.usage.cost.dollars(),
            },
            audit: &self.audit,
        }
    }

    /// The last document that was written, if one was.
    pub(crate) fn document(&self) -> Option<&str> {
        newest_document(|name| self.files.get(name).map(String::as_str))
    }

    /// Notes that a person left in the middle, also when they were asked something.
    pub(crate) fn was_cancelled(&mut self) {
        // What was complete by then keeps its result.
        if self.status == "done" {
            return;
        }
        self.exit = Exit::Cancelled;
        if self.status == "interrupted" {
            self.said = cancelled(&self.values);
        }
    }

    /// Whether the last document is a plan, which a person has seen before they decided.
    pub(crate) fn stopped_at_the_plan(&self) -> bool {
        self.files.contains_key("/repair_plan.md") && !self.files.contains_key("/final_report.md")
    }

    /// The agent's last word.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// The thread, for the next command.
    pub(crate) fn thread(&self) -> &str {
        &self.thread
    }

    /// Questions that wait for a person.
    pub(crate) fn open(&self) -> &[OpenInterrupt] {
        &self.open
    }

    /// AWS calls made, and whether the credentials are gone.
    pub(crate) const fn credentials(&self) -> (usize, bool) {
        (self.calls, self.context_cleared)
    }

    /// What a language model took, in one line; the runbook takes nothing.
    pub(crate) fn model_use(&self) -> Option<String> {
        let used = &self.usage;
        (!used.is_nothing()).then(|| {
            format!(
                "model {}: {} tokens read ({} of them from the cache), {} written, cost {}",
                self.model,
                used.prompt_tokens(),
                used.cache_read_tokens,
                used.output_tokens,
                used.cost
            )
        })
    }

    /// Where the audit chain ended when the invocation did.
    pub(crate) const fn audit(&self) -> &AuditChain {
        &self.audit
    }

    fn value(&self, key: &str) -> &Value {
        self.values.get(key).unwrap_or(&Value::Null)
    }
}

/// The document that tells most of what is known: the last one that the work gets to.
pub(crate) fn newest_document<'a>(file: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    [
        "/final_report.md",
        "/repair_plan.md",
        "/diagnostic_report.md",
        "/service_context.md",
    ]
    .into_iter()
    .find_map(file)
}

/// What a person must know who ended the work in the middle: what it had come to.
fn cancelled(values: &BTreeMap<String, Value>) -> String {
    let steps: Vec<StepOutcome> = read(values, "execution").unwrap_or_default();
    match steps.iter().filter(|step| step.status.in_effect()).count() {
        0 => "cancelled: nothing was changed".to_owned(),
        done => {
            format!(
                "cancelled: {done} of the plan's steps are in effect and were not verified; `diagnose` \
                 tells how the service is now"
            )
        }
    }
}

fn open_view(open: &OpenInterrupt) -> Value {
    let mut view = Map::new();
    view.insert("id".to_owned(), json!(open.id));
    if let Value::Object(payload) = &open.payload {
        view.extend(payload.clone());
    }
    Value::Object(view)
}

fn exit(result: &InvocationResult, events: &[StoredEvent]) -> Exit {
    match &result.status {
        InvocationStatus::Interrupted(_) => Exit::NeedsPerson,
        InvocationStatus::Cancelled => Exit::Cancelled,
        InvocationStatus::BudgetExhausted { .. } => Exit::Budget,
        InvocationStatus::Failed { .. } => failure(events).unwrap_or(Exit::Internal),
        InvocationStatus::Done { .. } => exit_of_work(result, events),
    }
}

/// How far the work got decides what its end means.
fn exit_of_work(result: &InvocationResult, events: &[StoredEvent]) -> Exit {
    let executed: Option<Vec<StepOutcome>> = read(&result.values, "execution");
    if executed.is_some_and(|steps| !steps.is_empty()) {
        let verified: Option<Verification> = read(&result.values, "verification");
        let rolled_back: Option<Vec<StepOutcome>> = read(&result.values, "rollback");
        let stands = rolled_back.is_none_or(|steps| steps.is_empty());
        return match verified.map(|verification| verification.state) {
            Some(VerificationState::Healthy) if stands => Exit::Success,
            Some(
                VerificationState::Healthy
                | VerificationState::Progressing
                | VerificationState::Worse
                | VerificationState::Unchanged,
            )
            | None => Exit::NotRepaired,
        };
    }
    if let Some(diagnosis) = read::<Diagnosis>(&result.values, "diagnosis") {
        return if diagnosis.healthy {
            Exit::Success
        } else {
            Exit::Findings
        };
    }
    if let Some(exit) = failure(events) {
        return exit;
    }
    // Nothing failed and nothing was diagnosed: no service was found to diagnose.
    if result.values.contains_key("service_context") {
        Exit::Internal
    } else {
        Exit::NotFound
    }
}

fn read<T: DeserializeOwned>(values: &BTreeMap<String, Value>, key: &str) -> Option<T> {
    serde_json::from_value(values.get(key)?.clone()).ok()
}

/// What all model calls took, failed ones included.
fn usage(events: &[StoredEvent]) -> Usage {
    events
        .iter()
        .fold(Usage::default(), |sum, stored| match &stored.event.body {
            EventBody::ModelReplied { usage, .. }
            | EventBody::ModelFailed { usage, .. }
            | EventBody::ModelFellBack { usage, .. }
            | EventBody::Compacted { usage, .. } => sum.plus(*usage),
            EventBody::RunStarted { .. }
            | EventBody::Configured { .. }
            | EventBody::ContextOverflowed { .. }
            | EventBody::HumanSaid { .. }
            | EventBody::ToolStarted { .. }
            | EventBody::ToolReturned { .. }
            | EventBody::InterruptRaised { .. }
            | EventBody::InterruptAnswered { .. }
            | EventBody::CancelRequested { .. }
            | EventBody::BudgetExhausted { .. }
            | EventBody::RunEnded { .. } => sum,
        })
}

/// What kind of trouble the last tool or model that failed in this turn had.
fn failure(events: &[StoredEvent]) -> Option<Exit> {
    events
        .iter()
        .rev()
        .map(|stored| &stored.event.body)
        .take_while(|body| !matches!(body, EventBody::HumanSaid { .. }))
        .find_map(|body| {
            if let EventBody::ModelFailed { error, .. } = body {
                return Some(class_of(error));
            }
            let EventBody::ToolReturned { outcome, .. } = body else {
                return None;
            };
            (outcome.status == ToolStatus::Error).then(|| class_of(&outcome.text))
        })
}

/// The class that a tool's error carries beside its sentence or, where it carries none, the one
/// that the fixed part of its sentence stands for.
fn class_of(text: &str) -> Exit {
    let error: Value = serde_json::from_str(text).unwrap_or_default();
    match error.get("class").and_then(Value::as_str) {
        Some("denied") => Exit::Credentials,
        Some("retry") => Exit::Unreachable,
        Some("not_found") => Exit::NotFound,
        Some("invalid") => Exit::Usage,
        Some(_) => Exit::Internal,
        None => SENTENCES
            .iter()
            .find(|(fixed, _)| text.contains(fixed))
            .map_or(Exit::Internal, |(_, exit)| *exit),
    }
}

/// Fixed parts of the sentences of `credentials`, `ecs` and `models`.
const SENTENCES: [(&str, Exit); 18] = [
    ("no answer from", Exit::Unreachable),
    ("throttled", Exit::Unreachable),
    ("got no answer", Exit::Unreachable),
    ("access denied", Exit::Credentials),
    ("was denied", Exit::Credentials),
    ("because of the credentials", Exit::Credentials),
    ("expired", Exit::Credentials),
    ("refused the access key", Exit::Credentials),
    ("refused the signature's time", Exit::Credentials),
    ("no keys labelled", Exit::Credentials),
    ("gave no credentials", Exit::Credentials),
    ("gave unusable keys", Exit::Credentials),
    ("credentials belong to account", Exit::Credentials),
    ("may not be used here", Exit::Credentials),
    ("no access to this region", Exit::Credentials),
    ("there is no service", Exit::NotFound),
    ("is not available", Exit::Unreachable),
    ("refused access", Exit::Credentials),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_the_program_by_its_class() {
        let cases = [
            (r#"{"error":"x","class":"denied"}"#, Exit::Credentials),
            (r#"{"error":"x","class":"retry"}"#, Exit::Unreachable),
            (
                r#"{"error":"no answer from `http://127.0.0.1:1`"}"#,
                Exit::Unreachable,
            ),
            (
                r#"{"error":"the credentials of profile `a` have expired"}"#,
                Exit::Credentials,
            ),
            ("something else", Exit::Internal),
        ];
        for (text, exit) in cases {
            assert_eq!(class_of(text), exit, "{text}");
        }
    }
}
