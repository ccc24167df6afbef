//! Finding a service for somebody who only wants to know which one it is.

use ecs_agent_core::InvocationSettings;
use ecs_agent_credentials::{
    Cell, CellError, ClearGuard, CredentialContext, InvocationId, PolicyError, ScopeRequest,
    SourceError, Sources,
};
use ecs_agent_ecs::{
    AwsClients, AwsError, ClientsError, Identification, SearchHints, identify, observe_policy,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Why nothing was searched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    /// The credentials could not be resolved.
    #[error("the credentials could not be opened")]
    Source(#[from] SourceError),
    /// No client could be made from them.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The policy for reading could not be made.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// AWS refused or failed.
    #[error("AWS refused or failed")]
    Aws(#[from] AwsError),
    /// The search was cut off.
    #[error(transparent)]
    Cell(#[from] CellError),
}

/// Searches as an invocation of its own: own cell, own context, cleared whatever happens.
///
/// # Cancel safety
/// Dropping the future ends the cell and clears the context.
pub(crate) async fn find_service(
    settings: InvocationSettings,
    sources: Sources,
    query: String,
    cluster: Option<String>,
    cancel: CancellationToken,
) -> Result<Identification, FindError> {
    let invocation = InvocationId::new(Uuid::now_v7());
    Cell::run(&invocation.to_string(), cancel, move || async move {
        let context = CredentialContext::guarded(
            invocation,
            settings.region,
            settings.endpoints,
            settings.leak_guard,
        );
        let _clear = ClearGuard::new(context.clone());
        let scope = ScopeRequest::observe(observe_policy()?);
        sources.fill(&context, &settings.reference, scope).await?;
        let clients = AwsClients::new(&context)?;
        let hints = SearchHints {
            cluster: cluster.or(settings.hints.cluster),
            service: settings.hints.service,
        };
        Ok(identify(&clients, &query, &hints).await?)
    })
    .await?
}
