use ecs_agent_credentials::SecretText;

fn needs<T: std::fmt::Display>() {}

fn main() {
    needs::<SecretText>();
}
