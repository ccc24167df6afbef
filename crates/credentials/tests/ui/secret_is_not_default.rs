use ecs_agent_credentials::SecretText;

fn needs<T: Default>() {}

fn main() {
    needs::<SecretText>();
}
