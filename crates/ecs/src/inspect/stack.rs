//! A CloudFormation stack: what it holds, what failed, what happened.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Status;
use crate::aws::{AwsClients, AwsError, Page, Pages, collect_pages, moment};

/// Most pages of resources and of events, 100 items each.
const MOST_PAGES: usize = 10;

/// A stack as it is.
#[derive(Debug, Clone, Serialize)]
pub struct StackStatus {
    /// Whether it could be read.
    pub status: Status,
    /// Whether there is such a stack.
    pub stack_exists: bool,
    /// CloudFormation's own status.
    pub stack_status: Option<String>,
    /// Why it has that status, where CloudFormation says so.
    pub stack_status_reason: Option<String>,
    /// What it holds.
    pub resources: Vec<StackResource>,
    /// What failed, the first failure first: later ones are often its consequences.
    pub failure_reasons: Vec<StackFailure>,
    /// What happened, newest first.
    pub raw_events: Vec<StackEvent>,
    /// What the stack returns.
    #[serde(skip)]
    pub outputs: Vec<(String, String)>,
    /// When it was made.
    #[serde(skip)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    #[serde(skip)]
    pub updated_at: Option<DateTime<Utc>>,
    /// Parts that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
    /// The result in a sentence.
    pub message: String,
}

/// A resource, under the names that the API gives its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StackResource {
    /// Its name in the template.
    pub logical_resource_id: String,
    /// Its id in AWS.
    pub physical_resource_id: Option<String>,
    /// Such as `AWS::ECS::Service`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub resource_status: String,
    /// Why.
    pub resource_status_reason: Option<String>,
    /// When that was.
    pub last_updated_timestamp: Option<DateTime<Utc>>,
}

/// An event, under the names that the API gives its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StackEvent {
    /// When.
    pub timestamp: Option<DateTime<Utc>>,
    /// The resource's name in the template.
    pub logical_resource_id: String,
    /// Its id in AWS.
    pub physical_resource_id: Option<String>,
    /// Such as `AWS::ECS::Service`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub resource_status: String,
    /// Why.
    pub resource_status_reason: Option<String>,
}

/// A failure of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackFailure {
    /// The resource's name in the template.
    pub logical_id: String,
    /// Its id in AWS.
    pub physical_id: Option<String>,
    /// Such as `AWS::ECS::Service`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// When.
    pub timestamp: Option<DateTime<Utc>>,
    /// Whether CloudFormation only gave it up because another resource had failed.
    pub consequence: bool,
}

/// Reads a stack by name or ARN: status, every resource, every recent event, at once.
///
/// # Errors
/// [`AwsError`] when the stack itself cannot be read; that it does not exist is an answer.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn stack_status(clients: &AwsClients, name: &str) -> Result<StackStatus, AwsError> {
    let request = clients.stacks.describe_stacks().stack_name(name);
    let (described, resources, events) = tokio::join!(
        clients.read("cloudformation:DescribeStacks", name, |receipt| {
            request.customize().interceptor(receipt).send()
        }),
        stack_resources(clients, name),
        stack_events(clients, name),
    );
    let described = match described.outcome {
        Ok(answer) => answer,
        // CloudFormation has no error of its own for this, only words.
        Err(error) if error.is_not_found() || error.message().contains("does not exist") => {
            return Ok(StackStatus::absent(name));
        }
        Err(error) => return Err(error),
    };
    let Some(stack) = described.stacks().first() else {
        return Ok(StackStatus::absent(name));
    };
    let status = stack
        .stack_status()
        .map(|status| status.as_str().to_owned());
    let outputs = stack.outputs().iter();
    let outputs = outputs
        .filter_map(|output| {
            let value = clients.cleaner.log_line(output.output_value()?);
            Some((output.output_key()?.to_owned(), value))
        })
        .collect();
    let mut not_read = Vec::new();
    let mut part = |error: AwsError| not_read.push(error.to_string());
    let resources = resources.unwrap_or_else(|error| {
        part(error);
        Vec::new()
    });
    let raw_events = events.unwrap_or_else(|error| {
        part(error);
        Vec::new()
    });
    let failure_reasons = failures(&resources, &raw_events);
    let message = match failure_reasons.iter().find(|failure| !failure.consequence) {
        Some(failure) => format!(
            "{} is {}; it began with {} ({}): {}",
            name,
            status.as_deref().unwrap_or("in an unknown state"),
            failure.logical_id,
            failure.status,
            failure.reason
        ),
        None => format!(
            "{} is {}; no resource failed",
            name,
            status.as_deref().unwrap_or("in an unknown state")
        ),
    };
    let words = |text: &str| clients.cleaner.words(text);
    Ok(StackStatus {
        status: Status::Success,
        stack_exists: true,
        stack_status: status,
        stack_status_reason: stack.stack_status_reason().map(words),
        resources,
        failure_reasons,
        raw_events,
        outputs,
        created_at: moment(stack.creation_time()),
        updated_at: moment(stack.last_updated_time()),
        not_read,
        message,
    })
}

/// Every resource of a stack.
pub(crate) async fn stack_resources(
    clients: &AwsClients,
    name: &str,
) -> Result<Vec<StackResource>, AwsError> {
    let pages: Pages<StackResource> = collect_pages(MOST_PAGES, |token| {
        let request = clients
            .stacks
            .list_stack_resources()
            .stack_name(name)
            .set_next_token(token);
        let reading = clients.read("cloudformation:ListStackResources", name, |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading.await.map(|answer| Page {
                items: answer
                    .stack_resource_summaries()
                    .iter()
                    .map(|found| StackResource {
                        logical_resource_id: found
                            .logical_resource_id()
                            .unwrap_or_default()
                            .to_owned(),
                        physical_resource_id: found.physical_resource_id().map(str::to_owned),
                        resource_type: found.resource_type().unwrap_or_default().to_owned(),
                        resource_status: found
                            .resource_status()
                            .map(|status| status.as_str().to_owned())
                            .unwrap_or_default(),
                        resource_status_reason: found
                            .resource_status_reason()
                            .map(|reason| clients.cleaner.words(reason)),
                        last_updated_timestamp: moment(found.last_updated_timestamp()),
                    })
                    .collect(),
                next: answer.next_token.filter(|token| !token.is_empty()),
            })
        }
    })
    .await
    .outcome?;
    Ok(pages.items)
}

async fn stack_events(clients: &AwsClients, name: &str) -> Result<Vec<StackEvent>, AwsError> {
    let pages: Pages<StackEvent> = collect_pages(MOST_PAGES, |token| {
        let request = clients
            .stacks
            .describe_stack_events()
            .stack_name(name)
            .set_next_token(token);
        let reading = clients.read("cloudformation:DescribeStackEvents", name, |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading.await.map(|answer| Page {
                items: answer
                    .stack_events()
                    .iter()
                    .map(|event| StackEvent {
                        timestamp: moment(event.timestamp()),
                        logical_resource_id: event
                            .logical_resource_id()
                            .unwrap_or_default()
                            .to_owned(),
                        physical_resource_id: event.physical_resource_id().map(str::to_owned),
                        resource_type: event.resource_type().unwrap_or_default().to_owned(),
                        resource_status: event
                            .resource_status()
                            .map(|status| status.as_str().to_owned())
                            .unwrap_or_default(),
                        resource_status_reason: event
                            .resource_status_reason()
                            .map(|reason| clients.cleaner.words(reason)),
                    })
                    .collect(),
                next: answer.next_token.filter(|token| !token.is_empty()),
            })
        }
    })
    .await
    .outcome?;
    Ok(pages.items)
}

/// Every resource that failed, once, in the order in which they did.
fn failures(resources: &[StackResource], events: &[StackEvent]) -> Vec<StackFailure> {
    let told = |reason: &Option<String>| {
        reason
            .clone()
            .unwrap_or_else(|| "CloudFormation gives no reason".to_owned())
    };
    let mut failures: Vec<StackFailure> = Vec::new();
    // Events are newest first, and the first failure is what matters.
    for event in events.iter().rev() {
        let known = failures
            .iter()
            .any(|failure| failure.logical_id == event.logical_resource_id);
        if event.resource_status.ends_with("FAILED") && !known {
            let reason = told(&event.resource_status_reason);
            failures.push(StackFailure {
                logical_id: event.logical_resource_id.clone(),
                physical_id: event.physical_resource_id.clone(),
                resource_type: event.resource_type.clone(),
                status: event.resource_status.clone(),
                consequence: reason.contains("cancelled"),
                reason,
                timestamp: event.timestamp,
            });
        }
    }
    // An event may be gone that the resource still remembers.
    for resource in resources {
        let known = failures
            .iter()
            .any(|failure| failure.logical_id == resource.logical_resource_id);
        if resource.resource_status.ends_with("FAILED") && !known {
            let reason = told(&resource.resource_status_reason);
            failures.push(StackFailure {
                logical_id: resource.logical_resource_id.clone(),
                physical_id: resource.physical_resource_id.clone(),
                resource_type: resource.resource_type.clone(),
                status: resource.resource_status.clone(),
                consequence: reason.contains("cancelled"),
                reason,
                timestamp: resource.last_updated_timestamp,
            });
        }
    }
    failures
}

impl StackStatus {
    fn absent(name: &str) -> Self {
        Self {
            status: Status::Success,
            stack_exists: false,
            stack_status: None,
            stack_status_reason: None,
            resources: Vec::new(),
            failure_reasons: Vec::new(),
            raw_events: Vec::new(),
            outputs: Vec::new(),
            created_at: None,
            updated_at: None,
            not_read: Vec::new(),
            message: format!("stack `{name}` does not exist here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(minute: u32, id: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            timestamp: DateTime::from_timestamp(i64::from(minute) * 60, 0),
            logical_resource_id: id.to_owned(),
            physical_resource_id: None,
            resource_type: "AWS::ECS::Service".to_owned(),
            resource_status: status.to_owned(),
            resource_status_reason: Some(reason.to_owned()),
        }
    }

    #[test]
    fn the_first_failure_comes_first_and_what_it_took_along_is_a_consequence() {
        let events = [
            event(3, "Stack", "ROLLBACK_IN_PROGRESS", "The following failed"),
            event(2, "Queue", "CREATE_FAILED", "Resource creation cancelled"),
            event(1, "Service", "CREATE_FAILED", "did not stabilize"),
            event(0, "Service", "CREATE_IN_PROGRESS", ""),
        ];
        let found = failures(&[], &events);
        let told: Vec<(&str, bool)> = found
            .iter()
            .map(|failure| (failure.logical_id.as_str(), failure.consequence))
            .collect();
        assert_eq!(told, [("Service", false), ("Queue", true)]);
    }
}
