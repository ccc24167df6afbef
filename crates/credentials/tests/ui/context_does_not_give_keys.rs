use ecs_agent_credentials::CredentialContext;

fn keys(context: &CredentialContext) {
    let _keys = context.signing_keys();
}

fn main() {}
