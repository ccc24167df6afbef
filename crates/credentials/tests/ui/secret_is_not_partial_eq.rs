use ecs_agent_credentials::SecretText;

fn needs<T: PartialEq>() {}

fn main() {
    needs::<SecretText>();
}
