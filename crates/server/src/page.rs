//! Lists as the API gives them: pages, chosen fields, times.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

/// How many a list has unless told.
pub(crate) const DEFAULT_LIMIT: usize = 10;
/// How many a list has at most.
pub(crate) const MAX_LIMIT: usize = 1_000;

const TOTAL: HeaderName = HeaderName::from_static("x-pagination-total");
const NEXT: HeaderName = HeaderName::from_static("x-pagination-next");

/// One page of something longer.
#[derive(Debug)]
pub(crate) struct Page {
    items: Vec<Value>,
    total: usize,
    next: Option<usize>,
}

impl Page {
    pub(crate) const fn new(items: Vec<Value>, total: usize, next: Option<usize>) -> Self {
        Self { items, total, next }
    }

    /// Everything at once.
    pub(crate) fn whole(items: Vec<Value>) -> Self {
        Self {
            total: items.len(),
            items,
            next: None,
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(TOTAL, HeaderValue::from(self.total));
        if let Some(next) = self.next {
            headers.insert(NEXT, HeaderValue::from(next));
        }
        (headers, Json(self.items)).into_response()
    }
}

/// Cuts an object to the fields that were asked for.
pub(crate) fn select(object: Value, fields: Option<&[String]>) -> Value {
    match (object, fields) {
        (Value::Object(object), Some(fields)) => Value::Object(
            object
                .into_iter()
                .filter(|(key, _)| fields.iter().any(|field| field == key))
                .collect::<Map<_, _>>(),
        ),
        (object, _) => object,
    }
}

/// A time as the API writes it: RFC 3339 with offset.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}
