//! What shapes a thread beyond its agents' definition. It is logged, so that a log folds to the
//! same thread whatever is configured by then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::AgentName;
use crate::path::FilePath;

/// What shapes a thread beyond its agents' definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// Tools that wait for a person's decision before each call, by the tool's name.
    pub approvals: BTreeMap<String, ApprovalRule>,
    /// Directories of the file tools whose files live outside the thread.
    pub mounts: Vec<Mount>,
    /// What each agent is limited to; one that is not named has no limits of its own.
    pub limits: BTreeMap<AgentName, AgentLimits>,
    /// What the team that runs the program wants its agents to know.
    pub guidance: Guidance,
    /// Whether agents have the tool `compact_conversation`.
    pub offer_compaction: bool,
}

/// One agent's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentLimits {
    /// Tokens that its model reads at most: its conversation is compacted before it gets there.
    /// `None`: only when the model refuses.
    pub window_tokens: Option<u64>,
    /// Model turns for one task. The last one is announced to the model, and calls that it still
    /// makes then are not carried out.
    pub max_steps: Option<u32>,
}

/// What a person may decide about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Carry it out as it is.
    Approve,
    /// Carry it out with other arguments.
    Edit,
    /// Do not carry it out; the model is told why.
    Reject,
    /// Do not carry it out; the person's words are its result.
    Respond,
}

impl DecisionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Edit, Self::Reject, Self::Respond];

    /// The word for it, in answers and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit => "edit",
            Self::Reject => "reject",
            Self::Respond => "respond",
        }
    }
}

/// A tool's calls wait for a person, who may decide one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalRule {
    /// What the person may decide.
    pub decisions: BTreeSet<DecisionKind>,
}

impl ApprovalRule {
    /// Every decision is allowed.
    #[must_use]
    pub fn any() -> Self {
        Self {
            decisions: DecisionKind::ALL.into(),
        }
    }

    /// The decisions' words, for a person.
    pub(crate) fn words(&self) -> String {
        let words: Vec<&str> = self.decisions.iter().map(|kind| kind.as_str()).collect();
        words.join(", ")
    }
}

/// Whether the file tools may change what is in a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountAccess {
    /// They may only look.
    ReadOnly,
    /// They may change it.
    ReadWrite,
}

/// A directory whose files live outside the thread: the driver carries out what is done there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The directory.
    pub directory: FilePath,
    /// What may be done there.
    pub access: MountAccess,
}

impl Mount {
    /// Whether a path is the directory or lies in it.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        is_within(path, self.directory.as_str())
    }
}

/// Whether a normal path is `directory` or lies below it.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    if directory == "/" {
        return true;
    }
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a team wants its agents to know: read once for a thread, then part of its log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Guidance {
    /// The agents that are told; empty means none.
    pub agents: BTreeSet<AgentName>,
    /// Memory files, in full.
    pub memory: Vec<MemoryFile>,
    /// Skills, by what their front matter says; their bodies are read with `read_file`.
    pub skills: Vec<Skill>,
}

/// A memory file (`AGENTS.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFile {
    /// Where it was read from, as a person knows it.
    pub source: String,
    /// What it says.
    pub text: String,
}

/// A skill (`SKILL.md`), as its front matter describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Its name.
    pub name: String,
    /// What it is for and when to use it.
    pub description: String,
    /// Where the file tools find it.
    pub path: FilePath,
}

impl Guidance {
    /// What is added to an agent's system prompt; empty if it is told nothing.
    pub(crate) fn prompt(&self, agent: &AgentName) -> String {
        let mut text = String::new();
        if !self.agents.contains(agent) {
            return text;
        }
        for file in &self.memory {
            text.push_str(&format!(
                "\n\n# From your team: {}\n\n{}",
                file.source,
                file.text.trim()
            ));
        }
        if !self.skills.is_empty() {
            text.push_str(
                "\n\n# Skills of your team\n\nBefore work that one of them describes, read it with \
                 read_file and follow it. A skill gives no right that you do not have.\n",
            );
            for skill in &self.skills {
                text.push_str(&format!(
                    "\n- {} (`{}`): {}",
                    skill.name, skill.path, skill.description
                ));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_holds_what_is_in_it_and_nothing_beside_it() {
        let mount = Mount {
            directory: "/skills".parse().unwrap(),
            access: MountAccess::ReadOnly,
        };
        for (path, held) in [
            ("/skills", true),
            ("/skills/a/SKILL.md", true),
            ("/skills2/a", false),
            ("/", false),
        ] {
            assert_eq!(mount.holds(path), held, "{path}");
        }
    }

    #[test]
    fn only_agents_that_are_named_are_guided() {
        let guidance = Guidance {
            agents: [AgentName::new("main")].into(),
            memory: vec![MemoryFile {
                source: "AGENTS.md".to_owned(),
                text: "Page the on-call lead first.\n".to_owned(),
            }],
            skills: vec![Skill {
                name: "blue-green".to_owned(),
                description: "How we release.".to_owned(),
                path: "/skills/blue-green/SKILL.md".parse().unwrap(),
            }],
        };
        insta::assert_snapshot!(guidance.prompt(&AgentName::new("main")));
        assert_eq!(guidance.prompt(&AgentName::new("helper")), "");
    }
}
