//! The clients of one invocation.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::{DateTime, Utc};
use ecs_agent_credentials::{AccountId, ContextError, CredentialContext, Region};
use tokio::sync::Semaphore;

use super::reading::{Source, Stamps};
use super::{AwsError, Reading, Receipt, TextCleaner};

/// Most calls of one invocation that are in flight at once. An observation's widest step stays
/// under it, so it bounds a `scan`, not a single service.
const CALLS_IN_FLIGHT: usize = 32;

/// Everything that can speak to AWS for one invocation, made from its credential context.
///
/// # Security
/// It borrows authority from the context at each request and holds none itself: once the context
/// is cleared, every call fails. Do not keep one across invocations.
pub struct AwsClients {
    context: Arc<CredentialContext>,
    region: Region,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) balancing: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) ecr: aws_sdk_ecr::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) scaling: aws_sdk_applicationautoscaling::Client,
    pub(crate) stacks: aws_sdk_cloudformation::Client,
    pub(crate) cleaner: TextCleaner,
    /// Clients for other accounts, through the invocation's other contexts.
    others: Vec<(AccountId, Self)>,
    in_flight: Semaphore,
    calls: AtomicU64,
    latest_date: AtomicI64,
}

impl std::fmt::Debug for AwsClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsClients")
            .field("region", &self.region)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

/// The clients could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientsError {
    /// The context has no region, or is cleared.
    #[error("failed to make AWS clients from the invocation's credential context")]
    Context(#[source] ContextError),
    /// A pattern that masks secrets does not compile.
    #[error("failed to compile the patterns that mask secrets")]
    Patterns(#[source] regex::Error),
}

impl AwsClients {
    /// Makes the clients that act as this invocation.
    ///
    /// # Errors
    /// [`ClientsError::Context`] when the context has no region or was cleared.
    pub fn new(context: &Arc<CredentialContext>) -> Result<Self, ClientsError> {
        let config = context.sdk_config().map_err(ClientsError::Context)?;
        // The retry bucket is this invocation's own: nobody else's failures use it up.
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(&config)
                        .retry_partition(context.retry_partition())
                        .build(),
                )
            };
        }
        Ok(Self {
            region: context.region().map_err(ClientsError::Context)?,
            context: Arc::clone(context),
            ecs: client!(aws_sdk_ecs),
            logs: client!(aws_sdk_cloudwatchlogs),
            balancing: client!(aws_sdk_elasticloadbalancingv2),
            ecr: client!(aws_sdk_ecr),
            iam: client!(aws_sdk_iam),
            scaling: client!(aws_sdk_applicationautoscaling),
            stacks: client!(aws_sdk_cloudformation),
            cleaner: TextCleaner::new().map_err(ClientsError::Patterns)?,
            others: Vec::new(),
            in_flight: Semaphore::new(CALLS_IN_FLIGHT),
            calls: AtomicU64::new(0),
            latest_date: AtomicI64::new(i64::MIN),
        })
    }

    /// Adds clients that read another account through a context of the same invocation.
    ///
    /// # Errors
    /// [`ClientsError::Context`] when that context has no region or was cleared.
    pub fn with_account(
        mut self,
        account: AccountId,
        context: &Arc<CredentialContext>,
    ) -> Result<Self, ClientsError> {
        self.others.push((account, Self::new(context)?));
        Ok(self)
    }

    /// The clients that read what is in `account` and `region`: those that were added for it, or
    /// these, if they work in that region. None, if nothing reaches that region.
    pub(crate) fn reaching(&self, account: Option<&str>, region: &str) -> Option<&Self> {
        let added = self.others.iter().find(|(added, clients)| {
            Some(added.as_str()) == account && clients.region.as_str() == region
        });
        match added {
            Some((_, clients)) => Some(clients),
            None => (self.region.as_str() == region).then_some(self),
        }
    }

    /// The region that is read and written.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// How many calls were made so far, retries not counted.
    #[must_use]
    pub fn calls(&self) -> u64 {
        let others: u64 = self.others.iter().map(|(_, clients)| clients.calls()).sum();
        self.calls.load(Ordering::Relaxed) + others
    }

    /// AWS's own time as of its latest answer, if it has answered.
    #[must_use]
    pub fn latest_date(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.latest_date.load(Ordering::Relaxed), 0)
    }

    pub(crate) fn context(&self) -> &Arc<CredentialContext> {
        &self.context
    }

    /// Makes one SDK call and keeps its receipt.
    pub(crate) async fn read<T, E, F>(
        &self,
        call: &'static str,
        subject: impl Into<String>,
        send: impl FnOnce(Receipt) -> F,
    ) -> Reading<T>
    where
        E: StdError + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let receipt = Receipt::default();
        // An SDK call's future is large and an observation holds dozens: each lives on the heap.
        let outcome = self.take_turn(Box::pin(send(receipt.clone()))).await;
        let Stamps { request_id, date } = receipt.stamps();
        self.note_date(date);
        Reading {
            source: Source {
                call,
                subject: self.subject(subject.into()),
                request_id,
                read_at: date,
            },
            outcome: outcome.map_err(|error| AwsError::from_sdk(call, &error, &self.cleaner)),
        }
    }

    /// What was asked about, with whose credentials if they are not the invocation's main ones.
    fn subject(&self, subject: String) -> String {
        match self.context.name() {
            Some(name) => format!("{subject} (credentials `{name}`)"),
            None => subject,
        }
    }

    /// Waits for a place among the calls in flight, then runs `call`.
    pub(crate) async fn take_turn<F: Future>(&self, call: F) -> F::Output {
        // The semaphore is never closed; without a permit the call goes ahead all the same.
        let _place = self.in_flight.acquire().await.ok();
        self.calls.fetch_add(1, Ordering::Relaxed);
        call.await
    }

    pub(crate) fn note_date(&self, date: Option<DateTime<Utc>>) {
        if let Some(date) = date {
            self.latest_date
                .fetch_max(date.timestamp(), Ordering::Relaxed);
        }
    }
}
