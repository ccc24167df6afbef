use ecs_agent_credentials::CredentialContext;

fn needs<T: Clone>() {}

fn main() {
    needs::<CredentialContext>();
}
