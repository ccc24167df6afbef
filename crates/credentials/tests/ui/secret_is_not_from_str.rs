use ecs_agent_credentials::SecretText;

fn needs<T: std::str::FromStr>() {}

fn main() {
    needs::<SecretText>();
}
