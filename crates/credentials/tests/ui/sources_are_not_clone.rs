use ecs_agent_credentials::Sources;

fn needs<T: Clone>() {}

fn main() {
    needs::<Sources>();
}
