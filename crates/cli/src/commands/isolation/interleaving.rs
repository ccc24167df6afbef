//! The old flaw and today's behaviour, side by side: two users, the same four moves.
//!
//! The flaw was a store of credentials that invocations shared: whoever filled it last was who
//! everybody acted as. Here it is a value of this file, filled and read as it was then. The lab
//! says whose key signed each call.

use std::sync::Arc;

use ecs_agent_credentials::{
    Cell, CellError, ClearGuard, CredentialContext, InvocationId, PolicyError, ScopeRequest,
    SourceError, Sources,
};
use ecs_agent_ecs::{AwsClients, ClientsError, ObserveError, ServiceTarget, observe_policy};
use ecs_agent_lab::LabHandle;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{SPEED, User};
use crate::commands::Workbench;
use crate::error::CliError;
use crate::lab_process;
use crate::workplace::Place;

/// Why the two users could not be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterleavingError {
    /// The thread they are played on.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// What they may do.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Their credentials.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Their clients.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// Their calls.
    #[error(transparent)]
    Call(#[from] ObserveError),
}

/// What both users call their service, as every user of the lab does.
const TARGET: (&str, &str) = ("prod", "api");

/// One of the two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Who {
    A,
    B,
}

/// A move of the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// The user's credentials are put where their calls will look for them.
    Sets(Who),
    /// The user asks AWS about their service.
    Calls(Who),
}

/// The order in which two invocations at once happen to get their turns.
const MOVES: [Move; 4] = [
    Move::Sets(Who::A),
    Move::Sets(Who::B),
    Move::Calls(Who::A),
    Move::Calls(Who::B),
];

/// Where a user's credentials are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// In the one place that there is, as it was.
    SharedStore,
    /// In the invocation's own context, as it is.
    OwnContexts,
}

/// A call, and whose key the lab saw on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SignedCall {
    /// Who called.
    pub(super) caller: Who,
    /// The caller's account.
    account: String,
    /// Whose account the signing key belongs to; none if it belongs to neither.
    pub(super) signed_as: Option<Who>,
    /// The account behind the signing key.
    signed_account: Option<String>,
    /// The request in the lab's record.
    request_id: String,
}

impl SignedCall {
    /// Tells whether the call acted as somebody else.
    pub(super) fn is_crossed(&self) -> bool {
        self.signed_as != Some(self.caller)
    }
}

/// The same moves, with the credentials kept both ways.
#[derive(Debug, Serialize)]
pub(super) struct Interleaving {
    /// The order, in words.
    pub(super) moves: Vec<String>,
    pub(super) shared_store: Vec<SignedCall>,
    pub(super) own_contexts: Vec<SignedCall>,
    pub(super) crossed_in_shared_store: usize,
    pub(super) crossed_in_own_contexts: usize,
}

impl Interleaving {
    /// Tells whether the flaw was seen where it is, and only there. Had the lab not shown it, its
    /// record would prove nothing.
    pub(super) fn is_as_expected(&self) -> bool {
        self.crossed_in_shared_store > 0 && self.crossed_in_own_contexts == 0
    }
}

/// Plays the moves twice.
pub(super) async fn run(
    bench: &Workbench<'_>,
    lab: &Arc<LabHandle>,
    users: &[User],
) -> Result<Interleaving, CliError> {
    let [a, b, ..] = users else {
        return Err(CliError::EmptyLab);
    };
    let shared_store = play(bench, lab, [a, b], Keeping::SharedStore).await?;
    let own_contexts = play(bench, lab, [a, b], Keeping::OwnContexts).await?;
    let crossed = |calls: &[SignedCall]| calls.iter().filter(|call| call.is_crossed()).count();
    Ok(Interleaving {
        moves: MOVES
            .iter()
            .map(|one| match one {
                Move::Sets(who) => format!("{who:?} sets"),
                Move::Calls(who) => format!("{who:?} calls"),
            })
            .collect(),
        crossed_in_shared_store: crossed(&shared_store),
        crossed_in_own_contexts: crossed(&own_contexts),
        shared_store,
        own_contexts,
    })
}

async fn play(
    bench: &Workbench<'_>,
    lab: &Arc<LabHandle>,
    users: [&User; 2],
    keeping: Keeping,
) -> Result<Vec<SignedCall>, CliError> {
    let ready = |user: &User| {
        let place = lab_process::place(lab, &user.account, &user.region, SPEED)?;
        let sources = lab_process::sources(&user.account, bench.configuration)?;
        Ok::<_, CliError>((place, sources))
    };
    let [a, b] = users;
    let ready = [ready(a)?, ready(b)?];
    // Like all that touches a secret, the game is played on a thread of its own.
    let played = Cell::run("interleaving", CancellationToken::new(), move || {
        moves(ready, keeping)
    });
    let calls = played.await.map_err(InterleavingError::from)??;
    let requests = lab.requests();
    let whose = |account: &str| {
        let accounts = [(Who::A, a), (Who::B, b)];
        let owner = accounts
            .iter()
            .find(|(_, user)| user.account.account_id == account);
        owner.map(|(who, _)| *who)
    };
    let signed = calls.into_iter().map(|(caller, request_id)| {
        let user = match caller {
            Who::A => a,
            Who::B => b,
        };
        let record = requests.iter().find(|one| one.request_id == request_id);
        let signed_account = record.and_then(|record| record.account.clone());
        SignedCall {
            caller,
            account: user.account.account_id.clone(),
            signed_as: signed_account.as_deref().and_then(whose),
            signed_account,
            request_id,
        }
    });
    Ok(signed.collect())
}

/// Makes the moves; returns who called and AWS's id of each call.
async fn moves(
    ready: [(Place, Sources); 2],
    keeping: Keeping,
) -> Result<Vec<(Who, String)>, InterleavingError> {
    let mut shared = None;
    let (mut of_a, mut of_b) = (None, None);
    let [a, b] = &ready;
    let mut calls = Vec::new();
    for one in MOVES {
        let (Move::Sets(who) | Move::Calls(who)) = one;
        let kept = match (keeping, who) {
            (Keeping::SharedStore, Who::A | Who::B) => &mut shared,
            (Keeping::OwnContexts, Who::A) => &mut of_a,
            (Keeping::OwnContexts, Who::B) => &mut of_b,
        };
        match (one, kept) {
            (Move::Sets(_), kept) => {
                let (place, sources) = match who {
                    Who::A => a,
                    Who::B => b,
                };
                *kept = Some(filled(place, sources).await?);
            }
            (Move::Calls(_), Some((context, _))) => {
                let before = context.calls().len();
                let (cluster, service) = TARGET;
                ServiceTarget::locate(&AwsClients::new(context)?, cluster, service).await?;
                let made = context.calls().into_iter().skip(before);
                let ids = made.filter_map(|call| call.request_id);
                calls.extend(ids.map(|id| (who, id)));
            }
            (Move::Calls(_), None) => {}
        }
    }
    Ok(calls)
}

/// A context with this user's credentials, cleared when its guard goes.
async fn filled(
    place: &Place,
    sources: &Sources,
) -> Result<(Arc<CredentialContext>, ClearGuard), InterleavingError> {
    let context = CredentialContext::new(
        InvocationId::new(Uuid::now_v7()),
        Some(place.region.clone()),
        place.endpoints.clone(),
    );
    let guard = ClearGuard::new(Arc::clone(&context));
    let request = ScopeRequest::observe(observe_policy()?);
    sources.fill(&context, &place.reference, request).await?;
    Ok((context, guard))
}
