use ecs_agent_credentials::Cell;
use tokio_util::sync::CancellationToken;

fn main() {
    let cancel = CancellationToken::new();
    let _cell = Cell::run("leaky", cancel, || async { std::rc::Rc::new(1) });
}
