//! What a team adds for its agents: memory files (`AGENTS.md`) and folders of skills (`SKILL.md`).
//!
//! They are read when a program starts, so that a mistake is told before anything runs. A thread
//! takes them into its log when it first runs: it keeps to what it began with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecs_agent_runtime::{
    AgentLimits, AgentName, ApprovalRule, Configuration, FilePath, Guidance, MemoryFile, Mount,
    MountAccess, Skill,
};

use crate::folder;

/// Agents that are told what the team wants them to know; the others carry out what they are given.
const GUIDED: [&str; 3] = ["main", "triage-specialist", "repair-planner"];
/// Where the file tools find skill folders.
const SKILLS: &str = "/skills";
/// Bounds of a skill's front matter, as the format has them.
const MAX_NAME_CHARS: usize = 64;
const MAX_DESCRIPTION_CHARS: usize = 1_024;
/// All memory files together go into every request.
const MAX_MEMORY_BYTES: usize = 40_000;
const MAX_SKILLS: usize = 50;

/// What a team has added.
#[derive(Debug, Clone, Default)]
pub struct TeamGuidance {
    pub(crate) memory: Vec<MemoryFile>,
    pub(crate) skills: Vec<Skill>,
    pub(crate) folders: Vec<MountedFolder>,
}

/// A folder that the file tools may look into.
#[derive(Debug, Clone)]
pub(crate) struct MountedFolder {
    pub(crate) directory: FilePath,
    pub(crate) folder: PathBuf,
}

/// Why what a team has added cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuidanceError {
    /// A memory file cannot be read.
    #[error("memory file `{path}` cannot be read")]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The memory files are too long.
    #[error(
        "the memory files have {bytes} bytes together, and may have {MAX_MEMORY_BYTES}, since they \
         are part of every request; move what is needed only at times into a skill"
    )]
    MemoryTooLong {
        /// How long they are.
        bytes: usize,
    },
    /// A skills folder cannot be read.
    #[error("skills folder `{path}` cannot be read: {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A folder has no skill.
    #[error("skills folder `{0}` has no `NAME/SKILL.md`")]
    NoSkill(PathBuf),
    /// A skill's front matter cannot be used.
    #[error("skill `{path}`: {reason}")]
    FrontMatter {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// There are too many skills.
    #[error("there are {0} skills, and may be {MAX_SKILLS}, since each is listed in every request")]
    TooManySkills(usize),
}

impl TeamGuidance {
    /// Reads memory files and skill folders. Of two skills with one name the later folder's counts.
    ///
    /// # Errors
    /// [`GuidanceError`], naming the file and what would be right.
    pub fn read(memory: &[PathBuf], skills: &[PathBuf]) -> Result<Self, GuidanceError> {
        let mut read = Self::default();
        let mut bytes = 0;
        for path in memory {
            let failed = |source| GuidanceError::Memory {
                path: path.clone(),
                source,
            };
            let text = std::fs::read_to_string(path).map_err(failed)?;
            bytes += text.len();
            read.memory.push(MemoryFile {
                source: name_of(path),
                text,
            });
        }
        if bytes > MAX_MEMORY_BYTES {
            return Err(GuidanceError::MemoryTooLong { bytes });
        }
        let mut by_name: BTreeMap<String, Skill> = BTreeMap::new();
        for (index, path) in skills.iter().enumerate() {
            let (mounted, found) = skills_in(index, path)?;
            read.folders.push(mounted);
            by_name.extend(found.into_iter().map(|skill| (skill.name.clone(), skill)));
        }
        if by_name.len() > MAX_SKILLS {
            return Err(GuidanceError::TooManySkills(by_name.len()));
        }
        read.skills = by_name.into_values().collect();
        Ok(read)
    }

    /// What a thread takes into its log.
    pub(crate) fn configuration(
        &self,
        approvals: BTreeMap<String, ApprovalRule>,
        limits: BTreeMap<AgentName, AgentLimits>,
    ) -> Configuration {
        let mounts = self.folders.iter().map(|mounted| Mount {
            directory: mounted.directory.clone(),
            access: MountAccess::ReadOnly,
        });
        let told = !(self.memory.is_empty() && self.skills.is_empty());
        let agents = GUIDED.iter().filter(|_| told);
        Configuration {
            approvals,
            mounts: mounts.collect(),
            offer_compaction: limits.values().any(|limits| limits.window_tokens.is_some()),
            limits,
            guidance: Guidance {
                agents: agents.map(|name| AgentName::new(*name)).collect(),
                memory: self.memory.clone(),
                skills: self.skills.clone(),
            },
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The skills of one folder, and where the file tools see it.
fn skills_in(index: usize, path: &Path) -> Result<(MountedFolder, Vec<Skill>), GuidanceError> {
    let refused = |reason: String| GuidanceError::Folder {
        path: path.to_owned(),
        reason,
    };
    let read = folder::read(path);
    if let Some(problem) = read.problem {
        return Err(refused(problem));
    }
    let directory = format!("{SKILLS}/{}", index + 1);
    let directory: FilePath = directory
        .parse()
        .map_err(|error: ecs_agent_runtime::FilePathError| refused(error.to_string()))?;
    let mut skills = Vec::new();
    for (file, text) in &read.files {
        let Some(name) = file.strip_suffix("/SKILL.md") else {
            continue;
        };
        let wrong = |reason: String| GuidanceError::FrontMatter {
            path: path.join(file),
            reason,
        };
        let mut skill = front_matter(text).map_err(wrong)?;
        let folder = name.rsplit('/').next().unwrap_or(name);
        if skill.name != folder {
            return Err(wrong(format!(
                "its name is `{}`, and its folder is `{folder}`; they must be the same",
                skill.name
            )));
        }
        skill.path = format!("{directory}/{file}")
            .parse()
            .map_err(|error: ecs_agent_runtime::FilePathError| wrong(error.to_string()))?;
        skills.push(skill);
    }
    if skills.is_empty() {
        return Err(GuidanceError::NoSkill(path.to_owned()));
    }
    let mounted = MountedFolder {
        directory,
        folder: path.to_owned(),
    };
    Ok((mounted, skills))
}

/// Reads `name` and `description` between the two `---` lines that a skill begins with: one line
/// each, in quotes or without.
fn front_matter(text: &str) -> Result<Skill, String> {
    let rest = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))
        .ok_or("begin it with `---`, `name: …`, `description: …`, `---`")?;
    let (head, _) = rest
        .split_once("\n---")
        .ok_or("its front matter has no `---` at the end")?;
    let field = |key: &str| -> Option<String> {
        let value = head.lines().find_map(|line| line.strip_prefix(key))?;
        let value = value.strip_prefix(':')?.trim();
        let quoted = |sign: char| value.strip_prefix(sign)?.strip_suffix(sign);
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let name = field("name").ok_or("it has no `name: …`")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.chars().count() > MAX_NAME_CHARS || !name.chars().all(plain) {
        return Err(format!(
            "its name may have {MAX_NAME_CHARS} characters: a-z, 0-9 and `-`"
        ));
    }
    let description = field("description").ok_or("it has no `description: …` on one line")?;
    let length = description.chars().count();
    if length > MAX_DESCRIPTION_CHARS {
        return Err(format!(
            "its description has {length} characters, and may have {MAX_DESCRIPTION_CHARS}"
        ));
    }
    Ok(Skill {
        path: "/skills/SKILL.md".parse().map_err(|_| "its path is none")?,
        name,
        description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(root: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(root.join(name)).unwrap();
        std::fs::write(root.join(name).join("SKILL.md"), text).unwrap();
    }

    #[test]
    fn skills_are_listed_and_the_last_folder_wins() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        skill(
            first.path(),
            "a",
            "---\nname: a\ndescription: old\n---\nbody\n",
        );
        skill(
            first.path(),
            "b",
            "---\nname: b\ndescription: \"of: b\"\n---\n",
        );
        skill(
            second.path(),
            "a",
            "---\r\nname: a\r\ndescription: new\r\n---\r\n",
        );
        let memory = first.path().join("AGENTS.md");
        std::fs::write(&memory, "Ask before Friday.").unwrap();
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let read = TeamGuidance::read(&[memory], &folders).unwrap();
        let listed: Vec<_> = read
            .skills
            .iter()
            .map(|skill| (skill.description.as_str(), skill.path.as_str()))
            .collect();
        assert_eq!(
            listed,
            [
                ("new", "/skills/2/a/SKILL.md"),
                ("of: b", "/skills/1/b/SKILL.md")
            ]
        );
        assert_eq!(read.memory[0].source, "AGENTS.md");
    }

    #[test]
    fn what_is_wrong_with_a_skill_is_said() {
        let long = "x".repeat(MAX_DESCRIPTION_CHARS + 1);
        let cases = [
            ("no front matter", "begin it with"),
            ("---\nname: s\n", "no `---` at the end"),
            ("---\ndescription: d\n---\n", "no `name: …`"),
            ("---\nname: s\n---\n", "no `description: …`"),
            ("---\nname: S_\ndescription: d\n---\n", "a-z, 0-9 and `-`"),
            (
                "---\nname: other\ndescription: d\n---\n",
                "must be the same",
            ),
            (
                &format!("---\nname: s\ndescription: {long}\n---\n"),
                "may have 1024",
            ),
        ];
        for (text, expected) in cases {
            let root = tempfile::tempdir().unwrap();
            skill(root.path(), "s", text);
            let error = TeamGuidance::read(&[], &[root.path().to_owned()]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = TeamGuidance::read(&[], &[empty.path().to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("has no `NAME/SKILL.md`"),
            "{error}"
        );
    }
}
