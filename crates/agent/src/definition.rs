//! The six agents: their purposes, their prompts and their tools.

use ecs_agent_runtime::{AgentName, AgentSpec, BuiltinTools};

use crate::prompts::Prompts;
use crate::settings::Mode;
use crate::tools::Toolbox;

/// Name and purpose of each subagent, in the order of their work.
const SUBAGENTS: [(&str, &str); 5] = [
    (
        "service-identifier",
        "Finds the one ECS service that is meant and opens its credentials for reading.",
    ),
    (
        "triage-specialist",
        "Observes the identified service, read-only, and finds out what is wrong.",
    ),
    (
        "repair-planner",
        "Proposes a typed repair plan for the findings and asks a person to approve it.",
    ),
    (
        "fix-executor",
        "Carries out exactly the approved plan, step by step.",
    ),
    (
        "verification-specialist",
        "Watches the service after the repair, rolls back if it got worse, writes the report.",
    ),
];

/// The agents as every thread's log was written with them: for whoever folds a log without running
/// the thread. Their prompts are empty, since a fold asks no model.
#[must_use]
pub fn agent_definition() -> AgentSpec {
    agents(&Toolbox::standard(), &Prompts::default(), Mode::Repair)
}

/// The main agent with its five specialists.
pub(crate) fn agents(toolbox: &Toolbox, prompts: &Prompts, mode: Mode) -> AgentSpec {
    let subagents = SUBAGENTS
        .iter()
        .map(|(name, description)| AgentSpec {
            name: AgentName::new(*name),
            description: (*description).to_owned(),
            system_prompt: prompts.system(name, mode).to_owned(),
            tools: toolbox.specs(name),
            builtin: BuiltinTools {
                todos: false,
                files: true,
            },
            subagents: Vec::new(),
        })
        .collect();
    AgentSpec {
        name: AgentName::new("main"),
        description: "Leads the diagnosis and repair of one ECS service.".to_owned(),
        system_prompt: prompts.system("main", mode).to_owned(),
        tools: toolbox.specs("main"),
        builtin: BuiltinTools::ALL,
        subagents,
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
