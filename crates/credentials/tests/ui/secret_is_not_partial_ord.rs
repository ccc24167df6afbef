use ecs_agent_credentials::SecretText;

fn needs<T: PartialOrd>() {}

fn main() {
    needs::<SecretText>();
}
