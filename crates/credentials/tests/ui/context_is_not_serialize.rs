use ecs_agent_credentials::CredentialContext;

fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<CredentialContext>();
}
