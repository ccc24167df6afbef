//! The fault lab inside this process, and the places in it that invocations act in.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::VerificationPace;
use ecs_agent_credentials::{
    CredentialReference, Endpoints, Region, SecretText, Sources, StaticCredentials,
};
use ecs_agent_lab::{ClockMode, LabAccount, LabConfig, LabHandle, LabServer, Scenario};

use crate::config::Configuration;
use crate::error::CliError;
use crate::lab_clock::OwnLabTimer;
use crate::workplace::Place;

/// Label of the lab's keys in references.
const LAB_LABEL: &str = "lab";

/// Reads a scenario: a built-in name, or a path of a YAML file.
pub(crate) fn scenario(name_or_file: &str) -> Result<Scenario, CliError> {
    let path = Path::new(name_or_file);
    let is_file = path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml");
    if !is_file {
        return Ok(Scenario::named(name_or_file)?);
    }
    let text = std::fs::read_to_string(path).map_err(|source| CliError::ScenarioFile {
        path: path.to_owned(),
        source,
    })?;
    Ok(Scenario::parse(name_or_file, &text)?)
}

/// Starts the lab on a task of the current runtime.
pub(crate) async fn start(
    scenario: Scenario,
    port: u16,
    clock: ClockMode,
    latency: Duration,
) -> Result<LabHandle, CliError> {
    let config = LabConfig::new(scenario)
        .listen(SocketAddr::from(([127, 0, 0, 1], port)))
        .clock(clock)
        .latency(latency);
    Ok(LabServer::start(config).await?)
}

/// An account of a lab with a manual clock as the place of an invocation: its role, assumed with its
/// user's keys.
pub(crate) fn place(
    lab: &Arc<LabHandle>,
    account: &LabAccount,
    region: &str,
    speed: f64,
) -> Result<Place, CliError> {
    let region: Region = region.parse()?;
    let reference = CredentialReference::AssumeRole {
        role_arn: account.role_arn.parse()?,
        external_id: Some(account.external_id.clone()),
        base: Box::new(CredentialReference::Static {
            label: LAB_LABEL.to_owned(),
        }),
    };
    Ok(Place {
        endpoints: Endpoints::Override(lab.url().parse()?),
        region,
        reference,
        timer: Arc::new(OwnLabTimer::new(Arc::clone(lab), speed)),
        pace: VerificationPace {
            interval: Duration::from_secs(20),
            settle: Duration::from_secs(180),
            timeout: Duration::from_secs(3600),
        },
    })
}

/// The keys of the account's user, which may do nothing but assume the role.
pub(crate) fn sources(
    account: &LabAccount,
    configuration: &Configuration,
) -> Result<Sources, CliError> {
    let secret = SecretText::from(account.secret_access_key.clone());
    let keys = StaticCredentials::new(&account.access_key_id, secret, None, None)?;
    Ok(Sources::builder()
        .retries(configuration.retries.value)
        .with_static(LAB_LABEL, keys)
        .build())
}
