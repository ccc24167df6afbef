//! Compaction: when it is due, what a model is asked for it, and what it does.

use std::collections::BTreeMap;

use super::{ApplyError, Thread};
use crate::agent::AgentSpec;
use crate::builtin::configured_tools_of;
use crate::configuration::Configuration;
use crate::context::{self, Plan, Wanted};
use crate::effect::Effect;
use crate::estimate::estimated_tokens;
use crate::ids::{AgentName, FramePath};
use crate::large_result::{free_path, sanitised};
use crate::message::{Message, ModelRequest};
use crate::state::Frame;
use crate::usage::Usage;

/// What a model is told that is to summarise.
const PROMPT: &str = include_str!("../prompts/compaction.md");
/// Requests in a row that may be refused as too long: the first and two retries, each shorter.
const MAX_OVERFLOWS: u32 = 2;
/// What a model is given to summarise if nobody knows how much it can read.
const UNKNOWN_WINDOW: u64 = 100_000;

/// Tokens of every agent's system prompt and tools.
pub(super) fn overheads(
    spec: &AgentSpec,
    configuration: &Configuration,
) -> BTreeMap<AgentName, u64> {
    let mut found = BTreeMap::new();
    let mut agents = vec![spec];
    while let Some(agent) = agents.pop() {
        let tools: u64 = configured_tools_of(agent, configuration)
            .iter()
            .map(|tool| {
                estimated_tokens(&tool.name)
                    + estimated_tokens(&tool.description)
                    + estimated_tokens(&tool.input_schema.to_string())
            })
            .sum();
        let system = estimated_tokens(&agent.system_prompt)
            + estimated_tokens(&configuration.guidance.prompt(&agent.name));
        found.insert(agent.name.clone(), tools.saturating_add(system));
        agents.extend(&agent.subagents);
    }
    found
}

impl Thread {
    pub(super) fn compaction_due(&self, frame: &Frame) -> Option<Plan> {
        let window = self.state.limits(&frame.agent).window_tokens;
        let overhead = self.overheads.get(&frame.agent).copied().unwrap_or(0);
        frame.context.due(&frame.messages, overhead, window)
    }

    /// The compaction of a frame, if it is outstanding.
    pub(super) fn compaction(&self, path: &FramePath) -> Option<Effect> {
        let frame = self
            .state
            .frames
            .get(path)
            .filter(|frame| frame.awaits_model())?;
        let plan = self.compaction_due(frame)?;
        let spec = self.spec_of(path)?;
        let gone = frame.messages.get(frame.context.start()..plan.keep_from)?;
        let before = frame
            .context
            .compaction
            .as_ref()
            .map_or("", |compaction| compaction.summary.as_str());
        let window = self.state.limits(&frame.agent).window_tokens;
        let mut window = window.unwrap_or(UNKNOWN_WINDOW);
        if frame.context.wanted == Some(Wanted::ByProvider) {
            // What was refused was larger than what the model really reads.
            let overhead = self.overheads.get(&frame.agent).copied().unwrap_or(0);
            window = window.min(frame.context.tokens(overhead) / 2);
        }
        let transcript = context::transcript_within(gone, window);
        let request = (!gone.is_empty()).then(|| ModelRequest {
            agent: spec.name.clone(),
            system: PROMPT.to_owned(),
            messages: vec![Message::Human {
                text: format!("{before}\n\n{transcript}").trim().to_owned(),
            }],
            tools: Vec::new(),
        });
        Some(Effect::Compact {
            frame: path.clone(),
            request,
            fallback: frame.fallback,
            keep_from: plan.keep_from,
            clip_chars: plan.clip_chars,
            plain_summary: context::plain_summary(gone),
        })
    }

    pub(super) fn check_compaction(
        &self,
        path: &FramePath,
        keep_from: usize,
    ) -> Result<(), ApplyError> {
        let frame = self.state.frames.get(path);
        let fits = frame.is_some_and(|frame| {
            keep_from >= frame.context.start() && context::is_boundary(&frame.messages, keep_from)
        });
        if fits {
            Ok(())
        } else {
            Err(ApplyError::Compaction(path.clone()))
        }
    }

    pub(super) fn compact(
        &mut self,
        path: &FramePath,
        keep_from: usize,
        clip_chars: Option<usize>,
        words: &str,
        usage: Usage,
    ) {
        self.count(usage);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        let start = frame.context.start();
        // What is clipped is kept whole in the file as well.
        let end = match clip_chars {
            Some(_) => frame.messages.len(),
            None => keep_from,
        };
        let gone = frame.messages.get(start..end).unwrap_or_default();
        let name: Vec<String> = match path.is_main() {
            true => vec!["main".to_owned()],
            false => path.calls().iter().map(sanitised).collect(),
        };
        let name = format!("{}-{}.md", name.join("_"), frame.context.count() + 1);
        let file = free_path("/conversation_history", &name, &self.state.files);
        let history = context::transcript(gone, usize::MAX);
        let file = file.filter(|file| self.state.files.keep(file.clone(), history).is_ok());
        let file = file.as_ref().map(crate::path::FilePath::as_str);
        let summarised = keep_from > start;
        let summary = match &frame.context.compaction {
            Some(before) if !summarised => before.summary.clone(),
            None if !summarised => String::new(),
            Some(_) | None => {
                let gone = frame.messages.get(..keep_from).unwrap_or_default();
                context::summary(words, gone, file)
            }
        };
        let plan = Plan {
            keep_from,
            clip_chars,
        };
        frame.context.compact(&frame.messages, summary, plan);
    }

    /// Whether a refusal of a frame's request as too long would be answered by a compaction.
    pub(super) fn would_shorten(&self, frame: &Frame) -> bool {
        let window = self.state.limits(&frame.agent).window_tokens;
        let overhead = self.overheads.get(&frame.agent).copied().unwrap_or(0);
        frame.context.overflows < MAX_OVERFLOWS
            && frame
                .context
                .due_by_provider(&frame.messages, overhead, window)
                .is_some()
    }

    /// A provider refused a frame's request as too long.
    pub(super) fn overflow(&mut self, path: &FramePath, reason: &str) {
        let frame = self.state.frames.get(path);
        let helps = frame.is_some_and(|frame| self.would_shorten(frame));
        if !helps {
            return self.take_model_failure(path, reason, false);
        }
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.context.overflows = frame.context.overflows.saturating_add(1);
            frame.context.wanted = Some(Wanted::ByProvider);
        }
    }
}
