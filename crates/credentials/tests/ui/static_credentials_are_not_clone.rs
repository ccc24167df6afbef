use ecs_agent_credentials::StaticCredentials;

fn needs<T: Clone>() {}

fn main() {
    needs::<StaticCredentials>();
}
