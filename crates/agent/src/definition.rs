//! The six agents: their prompts (data files) and their tools.

use ecs_agent_runtime::{AgentName, AgentSpec, BuiltinTools};

use crate::tools::Toolbox;

/// Name, purpose and prompt of each subagent, in the order of their work.
const SUBAGENTS: [(&str, &str, &str); 5] = [
    (
        "service-identifier",
        "Finds the one ECS service that is meant and opens its credentials for reading.",
        include_str!("../prompts/service-identifier.md"),
    ),
    (
        "triage-specialist",
        "Observes the identified service, read-only, and finds out what is wrong.",
        include_str!("../prompts/triage-specialist.md"),
    ),
    (
        "repair-planner",
        "Proposes a typed repair plan for the findings and asks a person to approve it.",
        include_str!("../prompts/repair-planner.md"),
    ),
    (
        "fix-executor",
        "Carries out exactly the approved plan, step by step.",
        include_str!("../prompts/fix-executor.md"),
    ),
    (
        "verification-specialist",
        "Watches the service after the repair, rolls back if it got worse, writes the report.",
        include_str!("../prompts/verification-specialist.md"),
    ),
];

/// The agents as every thread's log was written with them: for whoever folds a log without running
/// the thread.
#[must_use]
pub fn agent_definition() -> AgentSpec {
    agents(&Toolbox::standard())
}

/// The main agent with its five specialists.
pub(crate) fn agents(toolbox: &Toolbox) -> AgentSpec {
    let subagents = SUBAGENTS
        .iter()
        .map(|(name, description, prompt)| AgentSpec {
            name: AgentName::new(*name),
            description: (*description).to_owned(),
            system_prompt: (*prompt).to_owned(),
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
        system_prompt: include_str!("../prompts/main.md").to_owned(),
        tools: toolbox.specs("main"),
        builtin: BuiltinTools::ALL,
        subagents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words in back quotes that are neither tools nor subagents.
    const OTHER_WORDS: [&str; 1] = ["operations"];

    #[test]
    fn prompts_name_only_tools_and_specialists_that_exist() {
        let main = agents(&Toolbox::standard());
        for agent in std::iter::once(&main).chain(&main.subagents) {
            let mut known: Vec<String> = ecs_agent_runtime::tools_of(agent)
                .into_iter()
                .map(|tool| tool.name)
                .collect();
            known.extend(
                agent
                    .subagents
                    .iter()
                    .map(|subagent| subagent.name.to_string()),
            );
            for word in agent.system_prompt.split('`').skip(1).step_by(2) {
                let is_answer = word.ends_with('…');
                assert!(
                    is_answer
                        || OTHER_WORDS.contains(&word)
                        || known.iter().any(|name| name == word),
                    "the prompt of {} names `{word}`, which it does not have",
                    agent.name
                );
            }
        }
    }

    #[test]
    fn only_the_executor_and_the_verifier_can_change_aws() {
        let main = agents(&Toolbox::standard());
        for agent in std::iter::once(&main).chain(&main.subagents) {
            let writes: Vec<&str> = agent
                .tools
                .iter()
                .map(|tool| tool.name.as_str())
                .filter(|name| ["execute_operation", "roll_back_plan"].contains(name))
                .collect();
            match agent.name.as_str() {
                "fix-executor" => assert_eq!(writes, ["execute_operation"]),
                "verification-specialist" => assert_eq!(writes, ["roll_back_plan"]),
                _ => assert!(writes.is_empty(), "{} can write: {writes:?}", agent.name),
            }
        }
    }
}
