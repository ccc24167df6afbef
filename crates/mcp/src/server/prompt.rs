//! Prompts: how a person begins, as their client offers it to them.

use rmcp::model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};

/// The prompts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PromptName {
    Diagnose,
    Repair,
    Handover,
}

impl PromptName {
    pub(super) const ALL: [Self; 3] = [Self::Diagnose, Self::Repair, Self::Handover];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Diagnose => "diagnose",
            Self::Repair => "repair",
            Self::Handover => "handover",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prompt| prompt.as_str() == name)
    }

    /// The one argument: its name, and what it is.
    const fn argument(self) -> (&'static str, &'static str) {
        match self {
            Self::Diagnose | Self::Repair => (
                "problem",
                "What is wrong, in your words: my api service keeps restarting",
            ),
            Self::Handover => ("thread", "The thread's id, as list_threads shows it"),
        }
    }

    pub(super) fn prompt(self) -> Prompt {
        let (title, description) = match self {
            Self::Diagnose => (
                "Diagnose an ECS service",
                "Finds out, read-only, what is wrong with a service.",
            ),
            Self::Repair => (
                "Repair an ECS service",
                "Diagnoses a service, proposes a repair, and carries it out once you approve it.",
            ),
            Self::Handover => (
                "Hand over an incident",
                "Sums up a thread for whoever comes next.",
            ),
        };
        let (name, what) = self.argument();
        let argument = PromptArgument::new(name)
            .with_description(what)
            .with_required(true);
        Prompt::new(self.as_str(), Some(description), Some(vec![argument])).with_title(title)
    }

    /// The prompt with its argument in place.
    ///
    /// # Errors
    /// The name of the argument that is missing.
    pub(super) fn fill(self, arguments: &JsonObject) -> Result<GetPromptResult, &'static str> {
        let (name, _) = self.argument();
        let given = arguments
            .get(name)
            .and_then(serde_json::Value::as_str)
            .map(str::trim)
            .filter(|given| !given.is_empty())
            .ok_or(name)?;
        let text = match self {
            Self::Diagnose => format!(
                "Find out what is wrong: {given}\n\nCall diagnose_service with these words. If it asks which service \
                 is meant, ask me. Then tell me the cause in one sentence, the evidence it rests on by its ids, and \
                 what could not be read. Do not guess beyond the findings."
            ),
            Self::Repair => format!(
                "Repair this: {given}\n\nCall propose_repair with these words. If it asks which service is meant, ask \
                 me. Show me the cause and the plan as it is. If a plan waits, call execute_repair with its thread \
                 and plan_hash: I am asked by the server itself whether it may be carried out. Afterwards tell me \
                 what was changed and whether the service is healthy."
            ),
            Self::Handover => format!(
                "Write a handover of {given} for the next person on call. Read it with get_report and get_plan. Say \
                 what happened, the cause with the evidence ids, what was changed and what is still open, in at most \
                 fifteen lines."
            ),
        };
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(
            Role::User,
            text,
        )]))
    }
}
