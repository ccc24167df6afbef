//! The tools of the specialists, each bound to one invocation's [`Session`] by value.

mod ask_person;
mod claims;
mod credentials;
mod diagnose;
mod execute;
mod identify;
mod mcp;
mod observe;
mod propose;
mod registry;
mod report;
mod rollback;
mod search;
mod service_context;
mod verify;

use std::collections::BTreeMap;

use ecs_agent_ecs::report::MadeBy;
use ecs_agent_runtime::{Answer, Attempt, ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::runbook::RunbookModel;
use crate::session::Session;

pub(crate) use observe::ASK_OTHER_SERVER;

/// What a tool may do to the world, decided by the program and never by a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Reads, or changes nothing but the thread.
    Reads,
    /// Starts to carry out a plan: the approval of this hash is used up with the intent.
    BeginsPlan {
        /// Hash of the approved plan.
        plan_hash: String,
        /// The decision, as it was made.
        approval: Value,
    },
    /// Changes AWS under an approval that is already in use.
    Writes,
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub(crate) struct ToolInput {
    /// Arguments as the model wrote them.
    pub(crate) arguments: Value,
    /// A person's answer, when this call asked before.
    pub(crate) answer: Option<Answer>,
    /// Whether an earlier try may already have happened.
    pub(crate) attempt: Attempt,
    /// The thread's typed state at the time of the call.
    pub(crate) values: BTreeMap<String, Value>,
    /// What the person said on this thread, oldest first: nobody else's words are in it.
    pub(crate) said: Vec<String>,
    /// Where the runbook took over so far, and why.
    pub(crate) takeovers: Vec<String>,
}

impl ToolInput {
    /// The person's turn, counted from 1.
    pub(crate) fn turn(&self) -> usize {
        self.said.len()
    }

    /// Who makes what this call writes.
    pub(crate) fn made_by(&self, session: &Session) -> MadeBy {
        let settings = &session.settings;
        let model = settings.model.name().to_owned();
        // The runbook reads no prompt.
        let prompts = if model == RunbookModel::NAME {
            Vec::new()
        } else {
            settings.prompts.versions(settings.mode)
        };
        MadeBy {
            model,
            prompts,
            takeovers: self.takeovers.clone(),
        }
    }

    /// Reads the arguments as the tool's own type.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ToolOutcome> {
        let given = if self.arguments.is_null() {
            Value::Object(serde_json::Map::new())
        } else {
            self.arguments.clone()
        };
        serde_json::from_value(given).map_err(|error| {
            ToolOutcome::error(format!(
                "the arguments do not fit the tool's schema: {error}"
            ))
        })
    }
}

/// How a call ends.
#[derive(Debug)]
pub(crate) enum ToolReply {
    /// With an outcome.
    Returned(ToolOutcome),
    /// With a question to a person; the tool is called again with the answer.
    Ask(Value),
}

impl From<ToolOutcome> for ToolReply {
    fn from(outcome: ToolOutcome) -> Self {
        Self::Returned(outcome)
    }
}

/// A tool that belongs to one invocation.
pub(crate) trait Tool {
    /// Name, description and schema as the model sees them.
    fn spec(&self) -> ToolSpec;

    /// What this call would do to the world.
    fn intent(&self, _input: &ToolInput) -> Intent {
        Intent::Reads
    }

    /// Carries the call out.
    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply>;
}

/// The tools of every agent, by agent and name.
pub(crate) struct Toolbox {
    tools: BTreeMap<&'static str, Vec<Box<dyn Tool>>>,
}

impl Toolbox {
    /// Every tool of the house, in the hands it belongs to.
    pub(crate) fn standard() -> Self {
        let mut tools: BTreeMap<&'static str, Vec<Box<dyn Tool>>> = BTreeMap::new();
        tools.insert(
            "main",
            vec![
                Box::new(credentials::GetContext),
                Box::new(service_context::GetInfo),
                Box::new(credentials::Clear),
            ],
        );
        tools.insert(
            "service-identifier",
            vec![
                Box::new(credentials::SetContext),
                Box::new(credentials::GetContext),
                Box::new(credentials::FromStackJob),
                Box::new(identify::FindService),
                Box::new(ask_person::AskPerson),
                Box::new(service_context::SetInfo),
                Box::new(service_context::GetInfo),
                Box::new(credentials::Clear),
            ],
        );
        tools.insert(
            "triage-specialist",
            vec![
                Box::new(service_context::GetInfo),
                Box::new(observe::ObserveService),
                Box::new(diagnose::DiagnoseObservation),
                Box::new(observe::ReadEvidence),
                Box::new(mcp::ListMcpTools),
                Box::new(mcp::CallMcpTool),
                Box::new(claims::SubmitFindings),
                Box::new(report::WriteDiagnosticReport),
            ],
        );
        tools.insert(
            "repair-planner",
            vec![
                Box::new(observe::ReadEvidence),
                Box::new(propose::ProposePlan),
            ],
        );
        tools.insert("fix-executor", vec![Box::new(execute::ExecuteOperation)]);
        tools.insert(
            "verification-specialist",
            vec![
                Box::new(verify::VerifyService),
                Box::new(rollback::RollBackPlan),
                Box::new(report::WriteFinalReport),
            ],
        );
        Self { tools }
    }

    /// The tool of that name in that agent's hands; another agent's tool is as good as unknown.
    pub(crate) fn find(&self, agent: &str, name: &str) -> Option<&dyn Tool> {
        self.tools
            .get(agent)?
            .iter()
            .find(|tool| tool.spec().name == name)
            .map(std::convert::AsRef::as_ref)
    }

    /// What an agent's tools look like to its model.
    pub(crate) fn specs(&self, agent: &str) -> Vec<ToolSpec> {
        self.tools
            .get(agent)
            .map(|tools| tools.iter().map(|tool| tool.spec()).collect())
            .unwrap_or_default()
    }
}

/// A tool's name, description and the schema of its argument type.
pub(crate) fn spec_of<T: schemars::JsonSchema>(name: &str, description: &str) -> ToolSpec {
    let mut schema = serde_json::to_value(schemars::schema_for!(T)).unwrap_or_default();
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("$schema");
        object.shift_remove("title");
        object.shift_remove("description");
    }
    shorten(&mut schema);
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: schema,
    }
}

/// Takes out what no model needs to fill in the arguments: how many bits a number has, that what may
/// be left out may also be null, and whose type it is.
fn shorten(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.shift_remove("default");
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            let is_number = members.get("format").and_then(Value::as_str);
            if is_number.is_some_and(|format| format.starts_with("uint")) {
                members.shift_remove("format");
            }
            members.values_mut().for_each(shorten);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema type of a tool without arguments.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}
