//! The CloudFormation stack that owns the service.

use super::{Recorder, map};
use crate::aws::{AwsClients, Reading};
use crate::observation::{Cited, ServiceSnapshot, StackSnapshot};

/// Most failures that are kept.
const MOST_FAILURES: usize = 20;

/// The tag by which CloudFormation marks what it owns.
const STACK_TAG: &str = "aws:cloudformation:stack-name";
const LOGICAL_ID_TAG: &str = "aws:cloudformation:logical-id";

type Failures = Vec<(chrono::DateTime<chrono::Utc>, String, String)>;

/// What was read about the owning stack.
#[derive(Debug)]
pub(crate) struct StackReadings {
    name: Option<String>,
    described: Option<Reading<Option<String>>>,
    events: Option<Reading<Failures>>,
}

/// Looks for the stack that the service's tags name.
///
/// A service without the tag is not owned by a stack: CloudFormation always sets it, so nothing is
/// asked and nothing is missing.
pub(crate) async fn find(clients: &AwsClients, service: &ServiceSnapshot) -> StackReadings {
    let Some(name) = tag(service, STACK_TAG) else {
        return StackReadings {
            name: None,
            described: None,
            events: None,
        };
    };
    let request = clients.stacks.describe_stacks().stack_name(name);
    let described = clients
        .read("cloudformation:DescribeStacks", name, |receipt| {
            request.customize().interceptor(receipt).send()
        })
        .await
        .map(|answer| {
            answer
                .stacks()
                .first()
                .and_then(|stack| stack.stack_status())
                .map(|status| status.as_str().to_owned())
        });
    StackReadings {
        name: Some(name.to_owned()),
        described: Some(described),
        events: None,
    }
}

fn tag<'s>(service: &'s ServiceSnapshot, key: &str) -> Option<&'s str> {
    service
        .tags
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}

impl StackReadings {
    /// Reads the stack's newest events.
    pub(crate) async fn events(self, clients: &AwsClients) -> Self {
        let Some(name) = self.name.as_deref() else {
            return self;
        };
        let request = clients.stacks.describe_stack_events().stack_name(name);
        let events = clients
            .read("cloudformation:DescribeStackEvents", name, |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let mut failures: Failures = answer
                    .stack_events()
                    .iter()
                    .filter_map(|event| map::stack_failure(event, &clients.cleaner))
                    .collect();
                failures.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
                failures.truncate(MOST_FAILURES);
                failures
            });
        Self {
            events: Some(events),
            ..self
        }
    }

    pub(crate) fn record(
        self,
        recorder: &mut Recorder,
        service: &ServiceSnapshot,
    ) -> Option<Cited<StackSnapshot>> {
        let described = self.described.and_then(|reading| recorder.take(reading));
        let events = self.events.and_then(|reading| recorder.take(reading));
        let (source, status) = described?;
        let snapshot = StackSnapshot {
            name: self.name?,
            status: status?,
            logical_id: tag(service, LOGICAL_ID_TAG).map(ToOwned::to_owned),
            failures: events.map(|(_, failures)| failures).unwrap_or_default(),
        };
        Some(recorder.cite(&source, snapshot))
    }
}
