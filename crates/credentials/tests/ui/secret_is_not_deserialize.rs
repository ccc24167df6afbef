use ecs_agent_credentials::SecretText;

fn needs<T: serde::Deserialize<'static>>() {}

fn main() {
    needs::<SecretText>();
}
