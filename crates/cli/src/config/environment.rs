//! The layer that `ECS_DEEP_AGENT_*` variables make.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::layer::Layer;
use crate::environment::PREFIX;

/// Why a variable cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentLayerError {
    /// No setting has this name.
    #[error("`{PREFIX}{name}` is not a setting{}", did_you_mean(.name))]
    Unknown {
        /// The part after the prefix.
        name: String,
    },
    /// The value is not what the setting takes.
    #[error("`{PREFIX}{name}`: {problem}")]
    Malformed {
        /// The part after the prefix.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Two sources of credentials are named.
    #[error("`{PREFIX}CREDENTIALS` and `{PREFIX}PROFILE` name two sources; unset one of them")]
    TwoSources,
}

/// The names that are known, in the order of the configuration file.
const NAMES: [&str; 19] = [
    "MODEL",
    "MODEL_BASE_URL",
    "ALLOW_WRITE",
    "ALLOW_SENSITIVE_DATA",
    "REGION",
    "CREDENTIALS",
    "PROFILE",
    "ROLE_ARN",
    "EXTERNAL_ID",
    "ENDPOINT_URL",
    "RETRIES",
    "MAX_STEPS",
    "TIMEOUT",
    "CLUSTER",
    "SERVICE",
    "ORGANIZATION",
    "ENVIRONMENT",
    "DATA_DIR",
    "PROMPTS",
];

/// Reads the variables; an empty one counts as not set.
pub(super) fn layer(variables: &BTreeMap<String, String>) -> Result<Layer, EnvironmentLayerError> {
    let mut layer = Layer::default();
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        let read = Variable { name, value };
        match name.as_str() {
            "MODEL" => layer.model = Some(read.parse()?),
            "MODEL_BASE_URL" => layer.model_base_url = Some(read.parse()?),
            "ALLOW_WRITE" => layer.allow_write = Some(read.parse()?),
            "ALLOW_SENSITIVE_DATA" => layer.allow_sensitive_data = Some(read.parse()?),
            "REGION" => layer.region = Some(read.parse()?),
            "CREDENTIALS" => layer.credentials = Some(read.one_of()?),
            "PROFILE" => layer.profile = Some(value.clone()),
            "ROLE_ARN" => layer.role_arn = Some(read.parse()?),
            "EXTERNAL_ID" => layer.external_id = Some(value.clone()),
            "ENDPOINT_URL" => layer.endpoint_url = Some(read.parse()?),
            "REQUIRE_NARROWED" => layer.require_narrowed = Some(read.parse()?),
            "RETRIES" => layer.retries = Some(read.parse()?),
            "MAX_STEPS" => layer.max_steps = Some(read.parse()?),
            "TIMEOUT" => layer.timeout = Some(read.parse()?),
            "CLUSTER" => layer.cluster = Some(value.clone()),
            "SERVICE" => layer.service = Some(value.clone()),
            "ORGANIZATION" => layer.organization = Some(value.clone()),
            "ENVIRONMENT" => layer.environment = Some(value.clone()),
            "DATA_DIR" => layer.data_dir = Some(PathBuf::from(value)),
            "PROMPTS" => layer.prompts = Some(PathBuf::from(value)),
            _ => return Err(EnvironmentLayerError::Unknown { name: name.clone() }),
        }
    }
    if layer.names_two_sources() {
        return Err(EnvironmentLayerError::TwoSources);
    }
    Ok(layer)
}

/// One variable that is about to be understood.
struct Variable<'a> {
    name: &'a str,
    value: &'a str,
}

impl Variable<'_> {
    fn parse<T: FromStr<Err: Display>>(&self) -> Result<T, EnvironmentLayerError> {
        self.value
            .parse()
            .map_err(|error: T::Err| self.malformed(error.to_string()))
    }

    fn one_of<T: ValueEnum>(&self) -> Result<T, EnvironmentLayerError> {
        T::from_str(self.value, false).map_err(|_| {
            let accepted: Vec<String> = T::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            self.malformed(format!(
                "`{}` is not one of {}",
                self.value,
                accepted.join(", ")
            ))
        })
    }

    fn malformed(&self, problem: String) -> EnvironmentLayerError {
        EnvironmentLayerError::Malformed {
            name: self.name.to_owned(),
            problem,
        }
    }
}

fn did_you_mean(name: &str) -> String {
    let known = NAMES.map(|known| format!("`{PREFIX}{known}`"));
    // A slip of the finger leaves most of the letters in place.
    let alike = |known: &&&str| {
        let same = known
            .chars()
            .zip(name.chars())
            .filter(|(a, b)| a == b)
            .count();
        same * 2 >= known.len().max(name.len())
    };
    NAMES.iter().find(alike).map_or_else(
        || format!("; known are {}", known.join(", ")),
        |known| format!("; did you mean `{PREFIX}{known}`?"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Layer, EnvironmentLayerError> {
        layer(
            &variables
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn every_known_name_is_read() {
        let value = |name: &str| match name {
            "MODEL" => "runbook",
            "CREDENTIALS" => "env",
            "ALLOW_WRITE" | "ALLOW_SENSITIVE_DATA" => "false",
            "REGION" => "eu-west-1",
            "ROLE_ARN" => "arn:aws:iam::123456789012:role/ecs-deep-agent",
            "ENDPOINT_URL" | "MODEL_BASE_URL" => "http://127.0.0.1:4566",
            "RETRIES" | "MAX_STEPS" => "3",
            "TIMEOUT" => "5m",
            _ => "text",
        };
        for name in NAMES {
            assert_ne!(
                read(&[(name, value(name))]).unwrap(),
                Layer::default(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_slip_is_named_with_what_was_meant() {
        let said = read(&[("REGOIN", "eu-west-1")]).unwrap_err().to_string();
        assert!(
            said.contains("did you mean `ECS_DEEP_AGENT_REGION`"),
            "{said}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_accepted() {
        let said = read(&[("MODEL", "gpt")]).unwrap_err().to_string();
        for word in [
            "`ECS_DEEP_AGENT_MODEL`: `gpt`",
            "`PROVIDER:MODEL`",
            "`runbook`",
        ] {
            assert!(said.contains(word), "{said}");
        }
        let said = read(&[("CREDENTIALS", "keys")]).unwrap_err().to_string();
        assert_eq!(
            said,
            "`ECS_DEEP_AGENT_CREDENTIALS`: `keys` is not one of `env`, `chain`"
        );
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(read(&[("REGION", "")]).unwrap(), Layer::default());
    }
}
