//! An invocation's progress, told to an MCP client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ecs_agent_core::{Progress as Step, ProgressSink};
use ecs_agent_runtime::EventBody;

/// Tells the program's own sink, and the client.
pub(super) struct Telling {
    inner: Arc<dyn ProgressSink>,
    client: ecs_agent_mcp::Progress,
    steps: AtomicU32,
}

impl Telling {
    pub(super) fn of(
        inner: Arc<dyn ProgressSink>,
        client: ecs_agent_mcp::Progress,
    ) -> Arc<dyn ProgressSink> {
        Arc::new(Self {
            inner,
            client,
            steps: AtomicU32::new(0),
        })
    }

    fn tell(&self, words: &str) {
        let done = self.steps.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.client.tell(done, None, words);
    }
}

impl ProgressSink for Telling {
    fn progress(&self, progress: &Step<'_>) {
        self.inner.progress(progress);
        match progress {
            Step::Note { text, .. } => self.tell(text),
            Step::Event { event, .. } => {
                if let EventBody::ModelReplied { tool_calls, .. } = &event.body {
                    for call in tool_calls {
                        let specialist = call.arguments.get("subagent_type");
                        match specialist.and_then(|specialist| specialist.as_str()) {
                            Some(specialist) if call.name == "task" => self.tell(specialist),
                            _ => self.tell(&call.name.replace('_', " ")),
                        }
                    }
                }
            }
            Step::Delta { .. } => {}
        }
    }
}
