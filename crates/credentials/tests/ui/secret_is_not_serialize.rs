use ecs_agent_credentials::SecretText;

fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<SecretText>();
}
