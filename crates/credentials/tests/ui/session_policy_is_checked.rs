use ecs_agent_credentials::SessionPolicy;

fn main() {
    let _policy = SessionPolicy(String::from("{}"));
}
