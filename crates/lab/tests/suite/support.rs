//! A lab, and SDK clients that know nothing about it but its URL.

use aws_credential_types::Credentials;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_types::SdkConfig;
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) async fn lab(scenario: &str) -> LabHandle {
    let scenario = Scenario::named(scenario).expect("a built-in scenario");
    LabServer::start(LabConfig::new(scenario))
        .await
        .expect("the lab starts")
}

/// What an SDK needs to talk to the lab with these keys.
pub(super) fn config(lab: &LabHandle, region: &str, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(lab.url())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build()
}

pub(super) fn account(lab: &LabHandle) -> &LabAccount {
    lab.accounts().first().expect("an account")
}

pub(super) fn region(account: &LabAccount) -> &str {
    account.regions.first().expect("a region")
}

/// The user that may only assume the role.
pub(super) fn operator(lab: &LabHandle, account: &LabAccount) -> SdkConfig {
    let LabAccount {
        access_key_id,
        secret_access_key,
        ..
    } = account;
    let keys = Credentials::new(access_key_id, secret_access_key, None, None, "test");
    config(lab, region(account), keys)
}

/// `AssumeRole` of the agent's role, ready to be sent.
pub(super) fn assume(
    lab: &LabHandle,
    account: &LabAccount,
    session: &str,
) -> AssumeRoleFluentBuilder {
    aws_sdk_sts::Client::new(&operator(lab, account))
        .assume_role()
        .role_arn(&account.role_arn)
        .role_session_name(session)
        .external_id(&account.external_id)
}

/// A session of the agent's role.
pub(super) async fn session(
    lab: &LabHandle,
    account: &LabAccount,
    request: AssumeRoleFluentBuilder,
) -> SdkConfig {
    let answer = request.send().await.expect("the role is assumed");
    let issued = answer.credentials().expect("credentials");
    let keys = Credentials::new(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token().to_owned()),
        None,
        "test",
    );
    config(lab, region(account), keys)
}

/// A session of the agent's role in the first account.
pub(super) async fn agent(lab: &LabHandle) -> SdkConfig {
    let account = account(lab);
    session(lab, account, assume(lab, account, "test")).await
}

/// The error code and message of a call that had to fail.
pub(super) fn refusal<T, E, R>(result: Result<T, SdkError<E, R>>) -> (String, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let Err(error) = result else {
        panic!("the call should have failed")
    };
    let metadata = error.meta();
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(metadata.code()), text(metadata.message()))
}

/// One plain HTTP request; the answer's status and body.
pub(super) async fn http(lab: &LabHandle, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(lab.address())
        .await
        .expect("a connection");
    let request = format!(
        "{head}\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        lab.address(),
        body.len(),
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    (status, body)
}
