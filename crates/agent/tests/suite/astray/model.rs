//! A language model on a cassette, with what it was asked.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecs_agent_models::{
    BoxFuture, Cassette, DeltaSink, Model, ModelError, ModelReply, ModelRequest, Player,
};

/// Plays a cassette; says nothing more when it is over.
#[derive(Debug)]
pub(super) struct Astray {
    player: Player,
    requests: Mutex<Vec<ModelRequest>>,
}

impl Astray {
    pub(super) fn playing(cassette: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cassettes")
            .join(cassette)
            .with_extension("jsonl");
        let text = std::fs::read_to_string(file).unwrap();
        let cassette: Cassette = text.parse().unwrap();
        Self {
            player: Player::new(cassette),
            requests: Mutex::default(),
        }
    }

    /// Everything that it was asked.
    pub(super) fn requests(&self) -> Vec<ModelRequest> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<ModelRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for Astray {
    fn name(&self) -> &str {
        self.player.name()
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(async move {
            self.locked().push(request.clone());
            match self.player.respond(request, deltas).await {
                Err(ModelError::Cassette { .. }) => Ok(ModelReply::default()),
                answer => answer,
            }
        })
    }
}
