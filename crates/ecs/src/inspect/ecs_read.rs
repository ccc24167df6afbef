//! One read of the ECS API, as a person would make it with the AWS CLI.
//!
//! The set of operations is closed: what is not in the table of reads cannot be asked for here, and
//! what writes is answered with the command that a person can run.

use serde_json::{Map, Value};

use super::ecs_api::{READS, WRITES};
use super::mask::masked;
use super::person::aws_command;
use super::{InspectError, PersonCommand};
use crate::aws::AwsClients;

/// A read of the ECS API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcsRead {
    /// Its name.
    pub(super) operation: &'static str,
    /// The same as IAM names it.
    pub(super) action: &'static str,
    /// What it takes.
    pub(super) parameters: &'static [Parameter],
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What JSON a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A list.
    List,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An object.
    Object,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List => "a list",
            Self::Number => "a whole number",
            Self::Flag => "true or false",
            Self::Object => "an object",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::List => value.is_array(),
            Self::Number => value.is_i64() || value.is_u64(),
            Self::Flag => value.is_boolean(),
            Self::Object => value.is_object(),
        }
    }
}

/// An operation of the ECS API, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcsOperation {
    /// It only reads.
    Read(EcsRead),
    /// It writes: a person runs it.
    Write(&'static str),
}

impl EcsOperation {
    /// Finds an operation by its name, such as `DescribeServices`.
    ///
    /// # Errors
    /// [`InspectError::Invalid`] names the operations there are.
    pub fn named(name: &str) -> Result<Self, InspectError> {
        if let Some(read) = READS.into_iter().find(|read| read.operation == name) {
            return Ok(Self::Read(read));
        }
        if let Some(write) = WRITES.into_iter().find(|write| *write == name) {
            return Ok(Self::Write(write));
        }
        // Some lists of operations have it; the API does not.
        if name == "ListExpressGatewayServices" {
            return Err(InspectError::invalid(
                "api_operation",
                "the ECS API has no `ListExpressGatewayServices`: use `ListServices` with \
                 `resourceManagementType` = `ECS`",
            ));
        }
        let reads: Vec<&str> = Self::reads().collect();
        Err(InspectError::invalid(
            "api_operation",
            format!(
                "there is no such operation of the ECS API; those that read are {}",
                reads.join(", ")
            ),
        ))
    }

    /// The names of the operations that read.
    pub fn reads() -> impl Iterator<Item = &'static str> {
        READS.iter().map(|read| read.operation)
    }

    /// The names of the operations that write.
    pub fn writes() -> impl Iterator<Item = &'static str> {
        WRITES.into_iter()
    }
}

impl EcsRead {
    /// Its name.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The IAM action that it needs.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// Checks the parameters against what the operation takes.
    ///
    /// # Errors
    /// [`InspectError::Invalid`] names the first that does not fit.
    pub fn check(&self, params: &Map<String, Value>) -> Result<(), InspectError> {
        for (name, value) in params {
            let known = self.parameters.iter().find(|known| known.name == name);
            let Some(known) = known else {
                let names: Vec<&str> = self.parameters.iter().map(|known| known.name).collect();
                return Err(InspectError::invalid(
                    format!("api_params.{}", name.chars().take(40).collect::<String>()),
                    format!("{} takes {}", self.operation, names.join(", ")),
                ));
            };
            if !known.kind.fits(value) {
                return Err(InspectError::invalid(
                    format!("api_params.{}", known.name),
                    format!("it must be {}", known.kind.words()),
                ));
            }
        }
        let missing = self
            .parameters
            .iter()
            .find(|known| known.required && !params.contains_key(known.name));
        match missing {
            Some(known) => Err(InspectError::invalid(
                format!("api_params.{}", known.name),
                format!("{} needs it: {}", self.operation, known.kind.words()),
            )),
            None => Ok(()),
        }
    }
}

/// Makes one read; the answer is AWS's own, without what may be a secret.
///
/// # Errors
/// [`InspectError::Invalid`] when the parameters do not fit; [`InspectError::Aws`] when AWS refuses.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn ecs_read(
    clients: &AwsClients,
    read: EcsRead,
    params: &Map<String, Value>,
) -> Result<Value, InspectError> {
    read.check(params)?;
    let params = Value::Object(params.clone());
    let answer = clients.ecs_json(read.action, &params).await.outcome?;
    Ok(masked(answer, &clients.cleaner))
}

/// The command with which a person runs an operation of the ECS API.
#[must_use]
pub fn ecs_command(
    operation: &str,
    params: &Map<String, Value>,
    region: Option<&str>,
) -> PersonCommand {
    aws_command("ecs", operation, params, region)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn nothing_that_writes_is_a_read() {
        for read in READS {
            let verb = ["Describe", "List", "GetTaskProtection"];
            assert!(
                verb.iter().any(|verb| read.operation.starts_with(verb)),
                "{}",
                read.operation
            );
            assert_eq!(read.action, format!("ecs:{}", read.operation));
        }
        for name in [
            "ExecuteCommand",
            "RunTask",
            "UpdateService",
            "RegisterTaskDefinition",
        ] {
            assert_eq!(
                EcsOperation::named(name).unwrap(),
                EcsOperation::Write(name)
            );
        }
        assert!(EcsOperation::named("describeServices").is_err());
        assert!(EcsOperation::named("DescribeServices;").is_err());
    }

    #[test]
    fn parameters_that_do_not_fit_are_named() {
        let EcsOperation::Read(read) = EcsOperation::named("DescribeServices").unwrap() else {
            unreachable!()
        };
        read.check(&object(json!({"services": ["api"], "cluster": "shop"})))
            .unwrap();
        for (params, words) in [
            (json!({}), "`api_params.services`"),
            (json!({"services": "api"}), "a list"),
            (
                json!({"services": ["api"], "Cluster": "shop"}),
                "takes cluster, services",
            ),
        ] {
            let error = read.check(&object(params)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
