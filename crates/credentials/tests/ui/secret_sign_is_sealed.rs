use ecs_agent_credentials::SecretText;

fn main() {
    let secret = SecretText::from(String::new());
    secret.sign(|text| println!("{text}"));
}
