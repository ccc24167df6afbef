use ecs_agent_credentials::SecretText;

fn needs<T: std::ops::Deref>() {}

fn main() {
    needs::<SecretText>();
}
