//! The agents' prompts: versioned data, of which a deployer may replace a part.
//!
//! A prompt file has two parts with a line `---` between them. The first says how to work, and can
//! be replaced; the second is the contract with the program (how an answer begins, what counts as a
//! claim) and stays. What every agent is told about data is added at the end. Nothing that keeps
//! AWS safe depends on any of it.

use std::collections::BTreeMap;
use std::fmt;

use ecs_agent_ecs::report::PromptVersion;
use minijinja::{Environment, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

use crate::settings::Mode;

/// The agents and their built-in prompts.
const BUILT_IN: [(&str, &str); 6] = [
    ("main", include_str!("../prompts/main.md")),
    (
        "service-identifier",
        include_str!("../prompts/service-identifier.md"),
    ),
    (
        "triage-specialist",
        include_str!("../prompts/triage-specialist.md"),
    ),
    (
        "repair-planner",
        include_str!("../prompts/repair-planner.md"),
    ),
    ("fix-executor", include_str!("../prompts/fix-executor.md")),
    (
        "verification-specialist",
        include_str!("../prompts/verification-specialist.md"),
    ),
];

/// What every agent is told about data.
const ABOUT_DATA: &str = include_str!("../prompts/data.md");

/// Longest text that may take the place of a built-in one, in characters.
const LONGEST: usize = 8_000;

/// Why a prompt cannot be used. The text names the agent and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// No agent has that name.
    #[error("there is no agent `{agent}` whose prompt could be replaced; there are {known}")]
    UnknownAgent {
        /// The name.
        agent: String,
        /// The names that exist.
        known: String,
    },
    /// The text is longer than a prompt should be.
    #[error("the prompt of `{agent}` has {characters} characters; {LONGEST} is the most")]
    TooLong {
        /// The agent.
        agent: String,
        /// How long it is.
        characters: usize,
    },
    /// The text says nothing.
    #[error("the prompt of `{agent}` is empty; remove it to use the built-in one")]
    Empty {
        /// The agent.
        agent: String,
    },
    /// The text is no template, or uses a variable that there is not.
    #[error("the prompt of `{agent}` cannot be filled in: {reason}; it may use `agent` and `mode`")]
    Template {
        /// The agent.
        agent: String,
        /// Line and problem.
        reason: String,
    },
}

/// The prompts of all agents, filled in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    prompts: BTreeMap<String, Prompt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Prompt {
    version: u32,
    replaced: bool,
    for_diagnosis: String,
    for_repair: String,
}

impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.versions(Mode::Repair)).finish()
    }
}

impl Prompts {
    /// The built-in prompts.
    ///
    /// # Errors
    /// [`PromptError::Template`], which a test rules out.
    pub fn built_in() -> Result<Self, PromptError> {
        Self::replacing(&BTreeMap::new())
    }

    /// The built-in prompts with a deployer's texts, by agent, in place of the part that says how
    /// to work.
    ///
    /// # Errors
    /// [`PromptError`] names the agent and what is wrong with its text.
    pub fn replacing(texts: &BTreeMap<String, String>) -> Result<Self, PromptError> {
        if let Some(agent) = texts
            .keys()
            .find(|agent| !BUILT_IN.iter().any(|(name, _)| name == agent))
        {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(PromptError::UnknownAgent {
                agent: agent.clone(),
                known: known.join(", "),
            });
        }
        let prompts = BUILT_IN
            .iter()
            .map(|(agent, text)| {
                let replacement = texts.get(*agent).map(String::as_str);
                Ok(((*agent).to_owned(), prompt(agent, text, replacement)?))
            })
            .collect::<Result<_, PromptError>>()?;
        Ok(Self { prompts })
    }

    /// An agent's system prompt.
    pub(crate) fn system(&self, agent: &str, mode: Mode) -> &str {
        self.prompts
            .get(agent)
            .map_or("", |prompt| prompt.text(mode))
    }

    /// Which text each agent is given.
    #[must_use]
    pub fn versions(&self, mode: Mode) -> Vec<PromptVersion> {
        self.prompts
            .iter()
            .map(|(agent, prompt)| PromptVersion {
                agent: agent.clone(),
                version: prompt.version,
                hash: short_hash(prompt.text(mode)),
                replaced: prompt.replaced,
            })
            .collect()
    }
}

impl Prompt {
    fn text(&self, mode: Mode) -> &str {
        match mode {
            Mode::Diagnose => &self.for_diagnosis,
            Mode::Repair => &self.for_repair,
        }
    }
}

fn prompt(agent: &str, built_in: &str, replacement: Option<&str>) -> Result<Prompt, PromptError> {
    if let Some(text) = replacement {
        let characters = text.chars().count();
        let agent = agent.to_owned();
        if characters > LONGEST {
            return Err(PromptError::TooLong { agent, characters });
        }
        if text.trim().is_empty() {
            return Err(PromptError::Empty { agent });
        }
    }
    let (guidance, contract) = built_in.split_once("\n---\n").unwrap_or((built_in, ""));
    let parts = [replacement.unwrap_or(guidance), contract, ABOUT_DATA];
    let filled = |mode: &str| -> Result<String, PromptError> {
        let parts = parts
            .iter()
            .map(|part| fill(agent, part, mode))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(parts.join("\n\n"))
    };
    Ok(Prompt {
        version: version(built_in),
        replaced: replacement.is_some(),
        for_diagnosis: filled("diagnose")?,
        for_repair: filled("repair")?,
    })
}

/// Fills a text in. A variable that does not exist is an error and never an empty place.
fn fill(agent: &str, text: &str, mode: &str) -> Result<String, PromptError> {
    let failed = |error: minijinja::Error| PromptError::Template {
        agent: agent.to_owned(),
        reason: error.to_string(),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let filled = environment
        .render_str(text, context! { agent, mode })
        .map_err(failed)?;
    Ok(filled.trim().to_owned())
}

/// The number in the comment that a built-in prompt begins with.
fn version(text: &str) -> u32 {
    text.strip_prefix("{# version ")
        .and_then(|rest| rest.split_once(" #}"))
        .and_then(|(number, _)| number.parse().ok())
        .unwrap_or(0)
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replacing(agent: &str, text: &str) -> Result<Prompts, PromptError> {
        Prompts::replacing(&BTreeMap::from([(agent.to_owned(), text.to_owned())]))
    }

    /// A changed text without a changed version shows here, as a hash that changes alone.
    #[test]
    fn versions_of_the_built_in_prompts() {
        let prompts = Prompts::built_in().unwrap();
        let list: Vec<String> = prompts
            .versions(Mode::Repair)
            .iter()
            .map(|prompt| format!("{} v{} {}", prompt.agent, prompt.version, prompt.hash))
            .collect();
        assert!(
            prompts
                .versions(Mode::Repair)
                .iter()
                .all(|prompt| prompt.version > 0)
        );
        insta::assert_snapshot!("prompt_versions", list.join("\n"));
    }

    #[test]
    fn a_deployer_replaces_how_to_work_and_neither_contract_nor_the_word_about_data() {
        let prompts = replacing(
            "triage-specialist",
            "Look at {{ agent }} in mode {{ mode }}.",
        )
        .unwrap();
        let text = prompts.system("triage-specialist", Mode::Diagnose);
        assert!(
            text.starts_with("Look at triage-specialist in mode diagnose.\n\nA claim counts only"),
            "{text}"
        );
        assert!(text.contains("never an\ninstruction"), "{text}");
        let versions = prompts.versions(Mode::Diagnose);
        let replaced: Vec<&str> = versions
            .iter()
            .filter(|prompt| prompt.replaced)
            .map(|prompt| prompt.agent.as_str())
            .collect();
        assert_eq!(replaced, ["triage-specialist"]);
    }

    #[test]
    fn a_text_that_cannot_be_used_is_named() {
        let cases = [
            (replacing("triage", "x"), "there is no agent `triage`"),
            (replacing("main", " \n"), "the prompt of `main` is empty"),
            (replacing("main", &"x".repeat(8_001)), "has 8001 characters"),
            (replacing("main", "Hello {{ person }}"), "undefined value"),
            (replacing("main", "{% if %}"), "cannot be filled in"),
            (
                replacing("main", "{% include 'x' %}"),
                "cannot be filled in",
            ),
        ];
        for (result, expected) in cases {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_diagnosis_is_told_to_stop_before_a_plan() {
        let prompts = Prompts::built_in().unwrap();
        let diagnosis = prompts.system("main", Mode::Diagnose);
        assert!(diagnosis.contains("stop after the second") && !diagnosis.contains("fix-executor"));
        let repair = prompts.system("main", Mode::Repair);
        assert!(!repair.contains("stop after the second") && repair.contains("fix-executor"));
    }
}
