use ecs_agent_credentials::SecretText;

fn needs<T: std::hash::Hash>() {}

fn main() {
    needs::<SecretText>();
}
