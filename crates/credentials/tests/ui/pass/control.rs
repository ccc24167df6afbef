// Uses every crate that the other cases name, and must compile: it finds the build to check against.
use ecs_agent_credentials::{Cell, ContextDescription, CredentialReference};
use tokio_util::sync::CancellationToken;

fn writes<T: serde::Serialize>() {}
fn reads<T: serde::Deserialize<'static>>() {}

fn main() {
    writes::<ContextDescription>();
    reads::<CredentialReference>();
    drop(Cell::run("control", CancellationToken::new(), || async { 1 }));
}
