//! What each AWS operation reads and changes in the world.
//!
//! One table row an operation: its IAM action, whether it changes anything, which resources it
//! touches (so that authorisation comes first), and the function that answers it.

mod autoscaling;
mod cloudformation;
mod cloudwatch;
mod ec2;
mod ec2_rules;
mod ecr;
mod ecs;
mod elbv2;
mod iam;
mod logs;
mod page;
mod parameters;
mod sts;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::iam::Identity;
use crate::wire::{ApiError, Input};
use crate::world::{Account, AwsError, Ids, Region, World};

pub(crate) use self::sts::assume_role;

/// One request on its way through the world.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) caller: &'a Identity,
    pub(crate) region: &'a str,
    pub(crate) input: &'a Input,
    nothing: Region,
}

/// What a handler answers.
pub(crate) type Answer = Result<Value, ApiError>;

/// One permission that an operation needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    /// Condition keys, in lower case.
    pub(crate) context: BTreeMap<String, String>,
}

impl Need {
    pub(crate) fn on(action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            action,
            resource: resource.into(),
            context: BTreeMap::new(),
        }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }
}

/// A row of the table of operations.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    pub(crate) needs: fn(&Call<'_>) -> Vec<Need>,
    pub(crate) run: fn(&mut Call<'_>) -> Answer,
}

/// Whether an operation changes the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Reads,
    Mutates,
}

/// Every operation that the lab simulates, except `sts:AssumeRole`, which changes no world.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    const TABLES: [&[Operation]; 11] = [
        sts::OPERATIONS,
        ecs::OPERATIONS,
        elbv2::OPERATIONS,
        logs::OPERATIONS,
        ec2::OPERATIONS,
        ecr::OPERATIONS,
        iam::OPERATIONS,
        autoscaling::OPERATIONS,
        cloudformation::OPERATIONS,
        parameters::OPERATIONS,
        cloudwatch::OPERATIONS,
    ];
    TABLES.into_iter().flatten()
}

/// The row of an operation, if the lab simulates it.
pub(crate) fn find(service: &str, name: &str) -> Option<&'static Operation> {
    all().find(|operation| operation.name == name && operation.service == service)
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        world: &'a mut World,
        caller: &'a Identity,
        region: &'a str,
        input: &'a Input,
    ) -> Self {
        let nothing = Region::new(&caller.account, region, Ids::new(0, "nothing"));
        Self {
            world,
            caller,
            region,
            input,
            nothing,
        }
    }

    /// What the caller's account holds in the region that is asked.
    pub(crate) fn here(&self) -> &Region {
        self.world
            .region(&self.caller.account, self.region)
            .unwrap_or(&self.nothing)
    }

    fn account(&self) -> Option<&Account> {
        self.world.account(&self.caller.account)
    }

    /// `arn:aws:<service>:<region>:<account>:<resource>` of the caller.
    fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{resource}",
            self.region, self.caller.account
        )
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("region", &self.region)
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}

impl From<AwsError> for ApiError {
    fn from(error: AwsError) -> Self {
        let AwsError {
            code,
            message,
            status,
        } = error;
        let status = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_REQUEST);
        Self::Modelled {
            code,
            message,
            status,
        }
    }
}

/// Seconds since the epoch, as the JSON protocols write times.
fn epoch(at: DateTime<Utc>) -> Value {
    let millis = at.timestamp_millis();
    // Exact for every year that matters: 2^53 milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit into 53 bits"
    )]
    let seconds = millis as f64 / 1000.0;
    Value::from(seconds)
}

/// Milliseconds since the epoch, as CloudWatch Logs writes times.
fn millis(at: DateTime<Utc>) -> Value {
    Value::from(at.timestamp_millis())
}

/// ISO 8601, as the XML protocols write times.
fn iso(at: DateTime<Utc>) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Takes nulls out of an object, at every depth: AWS leaves absent members out.
fn compact(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(
                kept.map(|(name, member)| (name, compact(member)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.into_iter().map(compact).collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

/// An operation that IAM knows no resource for.
fn everything(action: &'static str) -> Vec<Need> {
    vec![Need::on(action, "*")]
}
