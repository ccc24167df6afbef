//! Resources: what can be read without a tool. Their addresses hold ids, and are looked up among
//! the caller's own threads like any other id.

use ecs_agent_runtime::ThreadId;
use rmcp::ErrorData;
use rmcp::model::{Resource, ResourceTemplate};

use super::backend::{Backend, BackendError, Document};
use super::message::ThreadsParams;

/// Threads whose reports are listed.
const LISTED_THREADS: u32 = 20;

const SCHEME: &str = "ecs-deep-agent://";
const MARKDOWN: &str = "text/markdown";
const JSON: &str = "application/json";

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourceAddress {
    Report(ThreadId),
    Plan(ThreadId),
    Evidence(ThreadId),
    FailureModes,
    FailureMode(String),
}

impl ResourceAddress {
    /// Reads an address; `None` when it names nothing that there could be.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let parts: Vec<&str> = uri.strip_prefix(SCHEME)?.split('/').collect();
        match parts.as_slice() {
            ["failure-modes"] => Some(Self::FailureModes),
            ["failure-modes", id] if !id.is_empty() => Some(Self::FailureMode((*id).to_owned())),
            ["threads", thread, what] => {
                let thread = thread.parse().ok()?;
                match *what {
                    "report" => Some(Self::Report(thread)),
                    "plan" => Some(Self::Plan(thread)),
                    "evidence" => Some(Self::Evidence(thread)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(super) const fn mime_type(&self) -> &'static str {
        match self {
            Self::Evidence(_) => JSON,
            Self::Report(_) | Self::Plan(_) | Self::FailureModes | Self::FailureMode(_) => MARKDOWN,
        }
    }

    /// Reads what it names.
    pub(super) async fn read(&self, backend: &dyn Backend) -> Result<String, BackendError> {
        match self {
            Self::Report(thread) => Ok(backend.report(*thread).await?.report),
            Self::Plan(thread) => backend
                .plan(*thread)
                .await?
                .document
                .ok_or_else(|| BackendError::new("this thread has no plan yet")),
            Self::Evidence(thread) => backend.document(Document::Evidence(*thread)).await,
            Self::FailureModes => backend.document(Document::FailureModes).await,
            Self::FailureMode(id) => backend.document(Document::FailureMode(id.clone())).await,
        }
    }
}

/// The addresses that are listed: the catalogue, and the newest threads' reports.
pub(super) async fn listed(backend: &dyn Backend) -> Result<Vec<Resource>, ErrorData> {
    let params = ThreadsParams {
        limit: Some(LISTED_THREADS),
    };
    let threads = backend
        .threads(params)
        .await
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let mut resources = vec![
        Resource::new(format!("{SCHEME}failure-modes"), "failure-modes")
            .with_title("Failure modes")
            .with_description("How ECS services fail, as this program knows it.")
            .with_mime_type(MARKDOWN),
    ];
    resources.extend(threads.threads.into_iter().map(|thread| {
        Resource::new(
            format!("{SCHEME}threads/{}/report", thread.thread),
            format!("report of {}", thread.thread),
        )
        .with_title(thread.title)
        .with_description(format!(
            "{}, last changed {}",
            thread.status, thread.updated_at
        ))
        .with_mime_type(MARKDOWN)
    }));
    Ok(resources)
}

/// The forms of all addresses.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    [
        (
            "threads/{thread}/report",
            "report",
            "A thread's final report, or its diagnostic one while there is no final one.",
            MARKDOWN,
        ),
        (
            "threads/{thread}/plan",
            "plan",
            "A thread's repair plan.",
            MARKDOWN,
        ),
        (
            "threads/{thread}/evidence",
            "evidence",
            "A thread's findings, the evidence they cite (call, request id, time, masked answer), and the gaps.",
            JSON,
        ),
        (
            "failure-modes/{mode}",
            "failure mode",
            "What is seen, what decides, what it is confused with, and the smallest repair.",
            MARKDOWN,
        ),
    ]
    .into_iter()
    .map(|(path, name, description, mime_type)| {
        ResourceTemplate::new(format!("{SCHEME}{path}"), name)
            .with_description(description)
            .with_mime_type(mime_type)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_thing_or_nothing() {
        let thread: ThreadId = "thread-00000000-0000-0000-0000-000000000007"
            .parse()
            .unwrap();
        let known = [
            (
                format!("ecs-deep-agent://threads/{thread}/report"),
                ResourceAddress::Report(thread),
            ),
            (
                format!("ecs-deep-agent://threads/{thread}/evidence"),
                ResourceAddress::Evidence(thread),
            ),
            (
                "ecs-deep-agent://failure-modes/oom-kill-137".to_owned(),
                ResourceAddress::FailureMode("oom-kill-137".to_owned()),
            ),
        ];
        for (uri, address) in known {
            assert_eq!(ResourceAddress::parse(&uri), Some(address));
        }
        for uri in [
            "file:///etc/passwd",
            "ecs-deep-agent://threads/../report",
            "ecs-deep-agent://threads/7/report",
            "ecs-deep-agent://failure-modes/",
            "ecs-deep-agent://failure-modes/a/b",
            "",
        ] {
            assert_eq!(ResourceAddress::parse(uri), None, "{uri}");
        }
    }
}
