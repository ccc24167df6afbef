//! Our side of a session: what a server may ask in return, which is next to nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorCode, FormElicitationCapability, Implementation,
};
use rmcp::service::RequestContext;
use rmcp::{ClientHandler, ErrorData, RoleClient};

use super::digest::Digest;
use super::elicitation::{Choice, NotAsked};

/// What a person answered to one question of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceAnswer {
    /// The option of this place.
    Option(usize),
    /// None of them.
    Declined,
}

/// What came up in a call beside its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The person has to choose before the call can end otherwise.
    Choice(Box<Choice>),
    /// It was refused.
    Refused(NotAsked),
}

/// The handler of one session. Clones share what they know.
#[derive(Debug, Clone)]
pub(super) struct Guest(Arc<State>);

#[derive(Debug)]
struct State {
    server: String,
    may_ask: bool,
    answers: Mutex<BTreeMap<Digest, ChoiceAnswer>>,
    asked: Mutex<Option<Asked>>,
}

impl Guest {
    pub(super) fn of(server: &str, may_ask: bool) -> Self {
        Self(Arc::new(State {
            server: server.to_owned(),
            may_ask,
            answers: Mutex::default(),
            asked: Mutex::default(),
        }))
    }

    /// Begins a call, with what a person answered to its question before.
    pub(super) fn begin(&self, answer: Option<(Digest, ChoiceAnswer)>) {
        *locked(&self.0.asked) = None;
        let mut answers = locked(&self.0.answers);
        answers.clear();
        answers.extend(answer);
    }

    /// Takes the first thing that the server asked for since the call began.
    pub(super) fn asked(&self) -> Option<Asked> {
        locked(&self.0.asked).take()
    }

    fn answer(&self, asked: &ElicitRequestParams) -> ElicitResult {
        let declined = || ElicitResult::new(ElicitationAction::Decline);
        let choice = match self.0.may_ask {
            true => Choice::of(&self.0.server, asked),
            false => Err(NotAsked::NotAllowed),
        };
        let choice = match choice {
            Ok(choice) => choice,
            Err(refused) => {
                locked(&self.0.asked).get_or_insert(Asked::Refused(refused));
                return declined();
            }
        };
        match locked(&self.0.answers).get(&choice.id) {
            Some(ChoiceAnswer::Option(place)) => match choice.content(*place) {
                Some(content) => ElicitResult::new(ElicitationAction::Accept).with_content(content),
                None => declined(),
            },
            Some(ChoiceAnswer::Declined) => declined(),
            None => {
                locked(&self.0.asked).get_or_insert(Asked::Choice(Box::new(choice)));
                ElicitResult::new(ElicitationAction::Cancel)
            }
        }
    }
}

/// Nothing is half-done behind these locks when a holder panics.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientHandler for Guest {
    /// No sampling and no roots; a choice of the person only where the configuration says so.
    fn get_info(&self) -> ClientConfig {
        let us = Implementation::new("ecs-deep-agent", env!("CARGO_PKG_VERSION"));
        let mut capabilities = ClientCapabilities::default();
        if self.0.may_ask {
            let form = FormElicitationCapability::new();
            capabilities.elicitation = Some(ElicitationCapability::new().with_form(form));
        }
        ClientConfig::new(capabilities, us)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(self.answer(&request))
    }

    #[expect(deprecated, reason = "older servers ask for it, and are refused")]
    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::ListRootsResult, ErrorData> {
        let said = "this client shows no files";
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, said, None))
    }
}
