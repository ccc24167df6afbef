//! One answer, or the reason there is none, with where and when it came from.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use chrono::{DateTime, Utc};

use super::AwsError;
use super::time::http_date;

/// The result of one read: what was asked, what came back, and AWS's own time of it.
///
/// Reading and recording are apart on purpose: reads run concurrently, their answers are recorded
/// in program order, so evidence ids do not depend on which answer came first.
#[derive(Debug, Clone)]
pub(crate) struct Reading<T> {
    pub(crate) source: Source,
    pub(crate) outcome: Result<T, AwsError>,
}

/// Where and when an answer came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) call: &'static str,
    pub(crate) subject: String,
    pub(crate) request_id: Option<String>,
    pub(crate) read_at: Option<DateTime<Utc>>,
}

impl<T> Reading<T> {
    /// Keeps where it came from and changes what was read.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        Reading {
            source: self.source,
            outcome: self.outcome.map(change),
        }
    }

    /// The answer, if there is one.
    pub(crate) fn answer(&self) -> Option<&T> {
        self.outcome.as_ref().ok()
    }
}

/// All pages of a listing that were read.
#[derive(Debug, Clone)]
pub(crate) struct Pages<I> {
    pub(crate) items: Vec<I>,
    /// More existed than the bounded read took.
    pub(crate) truncated: bool,
}

/// One page of a listing.
#[derive(Debug)]
pub(crate) struct Page<I> {
    pub(crate) items: Vec<I>,
    pub(crate) next: Option<String>,
}

impl<I> Page<I> {
    /// A page as the SDK returns it: an absent list is an empty one.
    pub(crate) fn new(items: Option<Vec<I>>, next: Option<String>) -> Self {
        Self {
            items: items.unwrap_or_default(),
            next: next.filter(|token| !token.is_empty()),
        }
    }
}

/// Reads page after page, at most `most_pages` of them.
pub(crate) async fn collect_pages<I, F>(
    most_pages: usize,
    read_page: impl Fn(Option<String>) -> F,
) -> Reading<Pages<I>>
where
    F: Future<Output = Reading<Page<I>>>,
{
    let mut items = Vec::new();
    let mut token = None;
    let mut pages = 0;
    loop {
        let Reading { source, outcome } = read_page(token.take()).await;
        pages += 1;
        let truncated = match outcome {
            Ok(page) => {
                items.extend(page.items);
                token = page.next;
                if token.is_some() && pages < most_pages {
                    continue;
                }
                token.is_some()
            }
            // What earlier pages said stands; that there is more is said too.
            Err(_) if pages > 1 => true,
            Err(error) => {
                return Reading {
                    source,
                    outcome: Err(error),
                };
            }
        };
        return Reading {
            source,
            outcome: Ok(Pages { items, truncated }),
        };
    }
}

/// Takes request id and `Date` from the answer of one call, whether it succeeds or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receipt(Arc<Mutex<Stamps>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Stamps {
    pub(crate) request_id: Option<String>,
    pub(crate) date: Option<DateTime<Utc>>,
}

impl Receipt {
    /// What the last attempt's answer carried.
    pub(crate) fn stamps(&self) -> Stamps {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Intercept for Receipt {
    fn name(&self) -> &'static str {
        "Receipt"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let request_id = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
            .into_iter()
            .find_map(|name| headers.get(name));
        let mut stamps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stamps.request_id = request_id.map(ToOwned::to_owned);
        stamps.date = headers.get("date").and_then(http_date);
        Ok(())
    }
}
