use ecs_agent_credentials::SecretText;

fn needs<T: std::borrow::Borrow<str>>() {}

fn main() {
    needs::<SecretText>();
}
