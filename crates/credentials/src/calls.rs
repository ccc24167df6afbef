//! The record of every AWS call of one invocation, taken on the wire.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::events::{ContextEvent, ContextEvents, Events};
use crate::resource;
use crate::scope::Scope;
use crate::sync::{Mutex, lock};

/// Calls kept; an invocation that makes more keeps its latest.
const CALLS_KEPT: usize = 20_000;
/// Keys whose scope is remembered; an invocation mints a handful.
const KEYS_KEPT: usize = 64;

/// One AWS call of an invocation, with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// The call's position in the invocation, counted from 1.
    pub number: u64,
    /// The service it was signed for, such as `ecs`.
    pub service: String,
    /// The operation, such as `DescribeServices`.
    pub operation: String,
    /// The region it was signed for.
    pub region: String,
    /// The last four characters of the access key id that signed it.
    pub access_key_id_last4: String,
    /// What it was about, as the request names it: an ARN, a name, an id.
    pub resource: Option<String>,
    /// What the credentials that signed it were narrowed to; none while credentials are resolved.
    pub scope: Option<Scope>,
    /// The name of the context that signed it, if it was not the invocation's main one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// How the last attempt ended.
    pub outcome: CallOutcome,
    /// AWS's error code of the last attempt, if it was refused or failed.
    pub error_code: Option<String>,
    /// The HTTP status of the last attempt; none if no response came.
    pub status: Option<u16>,
    /// AWS's id of the last attempt, for its support and for CloudTrail.
    pub request_id: Option<String>,
    /// AWS's clock at the last attempt.
    pub aws_date: Option<DateTime<Utc>>,
    /// The child process that asked, if it was not this program itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// From the first byte sent to the last attempt's response headers.
    #[serde(rename = "duration_ms", serialize_with = "as_milliseconds")]
    pub duration: Duration,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It is on its way.
    Pending,
    /// AWS did what was asked.
    Succeeded,
    /// AWS refused or failed.
    Failed,
    /// No answer came, or nobody waited for it: AWS may have done what was asked.
    Unanswered,
}

fn as_milliseconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Marks a request with the child process that asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Via {
    /// The child's name.
    pub(crate) child: String,
    /// The operation, as the endpoint understood it.
    pub(crate) operation: String,
}

/// Collects call records.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    log: Mutex<Log>,
    events: Events,
}

#[derive(Debug, Default)]
struct Log {
    records: VecDeque<Entry>,
    count: u64,
    aws_now: Option<DateTime<Utc>>,
    /// Who signs with which keys, newest last, by a digest of their id.
    signers: VecDeque<(KeyDigest, Signer)>,
}

/// Whose keys they are, and what they were narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signer {
    pub(crate) scope: Option<Scope>,
    /// The context's name, if it is not the invocation's main one.
    pub(crate) context: Option<String>,
}

/// SHA-256 of an access key id: enough to recognise it, and no key id is kept.
type KeyDigest = [u8; 32];

#[derive(Debug)]
struct Entry {
    record: CallRecord,
    /// The SDK sends the same id with every attempt of one call.
    sdk_invocation: Option<String>,
    started: Instant,
}

/// One attempt that is on its way.
#[derive(Debug)]
pub(crate) struct Attempt {
    number: u64,
}

impl CallLog {
    /// Notes that `request` is about to be sent.
    pub(crate) fn sent(&self, request: &HttpRequest) -> Attempt {
        let sdk_invocation = request
            .headers()
            .get("amz-sdk-invocation-id")
            .map(str::to_owned);
        let mut log = lock(&self.log);
        let earlier = log
            .records
            .iter_mut()
            .rev()
            .find(|entry| sdk_invocation.is_some() && entry.sdk_invocation == sdk_invocation);
        if let Some(entry) = earlier {
            entry.record.attempts += 1;
            entry.record.outcome = CallOutcome::Pending;
            return Attempt {
                number: entry.record.number,
            };
        }
        log.count += 1;
        let number = log.count;
        if log.records.len() == CALLS_KEPT {
            log.records.pop_front();
        }
        let mut record = describe(number, request);
        let signer = key_id(request).and_then(|key_id| log.signer_of(key_id));
        let Signer { scope, context } = signer.unwrap_or_default();
        (record.scope, record.context) = (scope, context);
        log.records.push_back(Entry {
            record,
            sdk_invocation,
            started: Instant::now(),
        });
        Attempt { number }
    }

    /// Notes what came back, or that nothing did.
    pub(crate) fn answered(
        &self,
        attempt: &Attempt,
        response: Option<&HttpResponse>,
        error_code: Option<String>,
    ) {
        let mut log = lock(&self.log);
        let date = response.and_then(|response| aws_date(response.headers().get("date")?));
        if date.is_some() {
            log.aws_now = date;
        }
        let number = attempt.number;
        let mut entries = log.records.iter_mut().rev();
        let Some(entry) = entries.find(|entry| entry.record.number == number) else {
            return;
        };
        entry.record.duration = entry.started.elapsed();
        entry.record.status = response.map(|response| response.status().as_u16());
        entry.record.request_id = response.and_then(request_id);
        entry.record.aws_date = date;
        entry.record.error_code = error_code;
        entry.record.outcome = match response {
            Some(response) if response.status().is_success() => CallOutcome::Succeeded,
            Some(_) => CallOutcome::Failed,
            None => CallOutcome::Unanswered,
        };
        let record = entry.record.clone();
        drop(log);
        self.events.add(ContextEvent::Called(record));
    }

    /// Notes that a request is about to be signed with this key, by whom and for what.
    pub(crate) fn signs(&self, key_id: &str, signer: Signer) {
        let digest = digest(key_id);
        let mut log = lock(&self.log);
        let known = log.signers.iter_mut().find(|(key, _)| *key == digest);
        if let Some((_, known)) = known {
            *known = signer;
            return;
        }
        if log.signers.len() == KEYS_KEPT {
            log.signers.pop_front();
        }
        log.signers.push_back((digest, signer));
    }

    /// Notes something else that happened to the context.
    pub(crate) fn happened(&self, event: ContextEvent) {
        self.events.add(event);
    }

    /// Hands out what happened since it was last asked, oldest first, at most so many.
    pub(crate) fn take_events(&self, most: usize) -> ContextEvents {
        self.events.take(most)
    }

    /// Waits until something has happened that was not handed out.
    pub(crate) async fn event_recorded(&self) {
        self.events.recorded().await;
    }

    /// Lists the calls after the one with this number, oldest first.
    pub(crate) fn after(&self, number: u64) -> Vec<CallRecord> {
        let log = lock(&self.log);
        let later = log
            .records
            .iter()
            .skip_while(|entry| entry.record.number <= number);
        later.map(|entry| entry.record.clone()).collect()
    }

    /// Returns the latest time that AWS told.
    pub(crate) fn aws_now(&self) -> Option<DateTime<Utc>> {
        lock(&self.log).aws_now
    }
}

impl Log {
    fn signer_of(&self, key_id: &str) -> Option<Signer> {
        let digest = digest(key_id);
        let mut known = self.signers.iter().rev();
        Some(known.find(|(key, _)| *key == digest)?.1.clone())
    }
}

fn digest(key_id: &str) -> KeyDigest {
    Sha256::digest(key_id.as_bytes()).into()
}

/// The key id that signed a request.
fn key_id(request: &HttpRequest) -> Option<&str> {
    let [key_id, ..] = credential_scope(request.headers().get("authorization")?)?;
    Some(key_id)
}

/// Reads what a signed request says about itself. SECURITY: of `Authorization`, only the credential
/// scope and the last four characters of the key id are kept.
fn describe(number: u64, request: &HttpRequest) -> CallRecord {
    let headers = request.headers();
    let scope = headers.get("authorization").and_then(credential_scope);
    let [key_id, region, service] = scope.unwrap_or(["", "", ""]);
    let last_four = key_id.get(key_id.len().saturating_sub(4)..);
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.rsplit('.').next());
    let via = request.extension::<Via>();
    let operation = via
        .map(|via| via.operation.as_str())
        .or(target)
        .or_else(|| query_action(request.body().bytes()?));
    CallRecord {
        number,
        service: service.to_owned(),
        operation: operation.unwrap_or("unknown").to_owned(),
        region: region.to_owned(),
        access_key_id_last4: last_four.unwrap_or_default().to_owned(),
        resource: resource::named_by(request),
        scope: None,
        context: None,
        attempts: 1,
        outcome: CallOutcome::Pending,
        error_code: None,
        status: None,
        request_id: None,
        aws_date: None,
        via: via.map(|via| via.child.clone()),
        duration: Duration::ZERO,
    }
}

/// Takes key id, region and service out of `… Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn credential_scope(authorization: &str) -> Option<[&str; 3]> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let mut parts = rest.split([',', ' ']).next()?.split('/');
    let key_id = parts.next()?;
    let _date = parts.next()?;
    Some([key_id, parts.next()?, parts.next()?])
}

/// Finds the operation of a Query-protocol body, `Action=DescribeSubnets&…`.
fn query_action(body: &[u8]) -> Option<&str> {
    let mut fields = body.split(|b| *b == b'&');
    let action = fields.find_map(|field| field.strip_prefix(b"Action="))?;
    let name = std::str::from_utf8(action).ok()?;
    name.bytes()
        .all(|b| b.is_ascii_alphanumeric())
        .then_some(name)
}

/// Reads the request id under the names that AWS's services give it.
pub(crate) fn request_id(response: &HttpResponse) -> Option<String> {
    let headers = response.headers();
    let names = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];
    let id = names.iter().find_map(|name| headers.get(name))?;
    let well_formed = !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
    well_formed.then(|| id.to_owned())
}

/// Reads an HTTP date.
pub(crate) fn aws_date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(date.with_timezone(&Utc))
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
