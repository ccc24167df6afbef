use ecs_agent_credentials::SecretText;

fn main() {
    let secret = SecretText::from(String::new());
    let _moved = secret;
    let _again = secret;
}
