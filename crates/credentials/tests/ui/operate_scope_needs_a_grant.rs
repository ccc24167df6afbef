use ecs_agent_credentials::Scope;

fn main() {
    let _scope = Scope::Operate {
        plan_hash: String::from("somebody said so"),
    };
}
