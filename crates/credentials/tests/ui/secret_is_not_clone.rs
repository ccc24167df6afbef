use ecs_agent_credentials::SecretText;

fn main() {
    let secret = SecretText::from(String::new());
    let _copy: SecretText = secret.clone();
}
