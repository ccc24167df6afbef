use ecs_agent_credentials::Scope;

fn needs<T: serde::Deserialize<'static>>() {}

fn main() {
    needs::<Scope>();
}
