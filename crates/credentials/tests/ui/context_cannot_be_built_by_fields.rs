use ecs_agent_credentials::CredentialContext;

fn main() {
    let _context = CredentialContext {};
}
