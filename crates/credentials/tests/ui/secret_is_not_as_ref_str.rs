use ecs_agent_credentials::SecretText;

fn needs<T: AsRef<str>>() {}

fn main() {
    needs::<SecretText>();
}
