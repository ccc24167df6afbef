//! What most tests start from.

use std::sync::Arc;

use ecs_agent_credentials::{
    CredentialContext, CredentialReference, EndpointUrl, Endpoints, InvocationId, OperateGrant,
    ScopeRequest, SecretText, SessionPolicy, Sources, SourcesBuilder, Statement, StaticCredentials,
};
use uuid::Uuid;

use super::fake_aws::Principal;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const OTHER_ACCOUNT: &str = "210987654321";

/// Makes the empty context of a new invocation.
pub(crate) fn context(url: &str) -> Arc<CredentialContext> {
    context_in(url, "eu-west-1")
}

pub(crate) fn context_in(url: &str, region: &str) -> Arc<CredentialContext> {
    let url: EndpointUrl = url.parse().unwrap();
    let invocation = InvocationId::new(Uuid::now_v7());
    let region = Some(region.parse().unwrap());
    CredentialContext::new(invocation, region, Endpoints::Override(url))
}

pub(crate) fn keys(of: &Principal) -> StaticCredentials {
    let secret = SecretText::from(of.secret.clone());
    let token = of.token.clone().map(SecretText::from);
    StaticCredentials::new(&of.key_id, secret, token, None).unwrap()
}

/// The keys of `of` under the label `given`.
pub(crate) fn given(of: &Principal) -> SourcesBuilder {
    Sources::builder().with_static("given", keys(of))
}

pub(crate) fn by_label() -> CredentialReference {
    CredentialReference::Static {
        label: "given".to_owned(),
    }
}

pub(crate) fn by_role(role_arn: &str, external_id: &str) -> CredentialReference {
    CredentialReference::AssumeRole {
        role_arn: role_arn.parse().unwrap(),
        external_id: Some(external_id.to_owned()),
        base: Box::new(by_label()),
    }
}

pub(crate) fn observe() -> ScopeRequest {
    ScopeRequest::observe(policy("ecs:Describe*"))
}

pub(crate) fn operate(plan_hash: &str) -> ScopeRequest {
    ScopeRequest::operate(OperateGrant::new(plan_hash, policy("ecs:UpdateService")))
}

fn policy(action: &str) -> SessionPolicy {
    let statement = Statement {
        actions: vec![action.to_owned()],
        resources: vec!["*".to_owned()],
        ..Statement::default()
    };
    SessionPolicy::new(vec![statement]).unwrap()
}

/// Asks STS through an SDK client, as the domain crate does through its own.
pub(crate) async fn whoami(context: &Arc<CredentialContext>) -> Result<String, String> {
    ask(&client(context)).await
}

/// An STS client of the context, made as the domain crate makes its own.
pub(crate) fn client(context: &Arc<CredentialContext>) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(&context.sdk_config().unwrap())
        .retry_partition(context.retry_partition())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

pub(crate) async fn ask(client: &aws_sdk_sts::Client) -> Result<String, String> {
    match client.get_caller_identity().send().await {
        Ok(answer) => Ok(answer.account().unwrap().to_owned()),
        Err(error) => Err(format!(
            "{:#}",
            aws_sdk_sts::error::DisplayErrorContext(error)
        )),
    }
}
