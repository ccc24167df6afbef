use ecs_agent_credentials::StaticCredentials;

fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<StaticCredentials>();
}
