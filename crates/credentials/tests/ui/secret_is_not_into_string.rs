use ecs_agent_credentials::SecretText;

fn needs<T: Into<String>>() {}

fn main() {
    needs::<SecretText>();
}
