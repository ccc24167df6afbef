use ecs_agent_credentials::SecretText;

fn needs<T: AsRef<[u8]>>() {}

fn main() {
    needs::<SecretText>();
}
