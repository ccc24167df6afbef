use ecs_agent_credentials::CredentialContext;

fn needs<T: Default>() {}

fn main() {
    needs::<CredentialContext>();
}
