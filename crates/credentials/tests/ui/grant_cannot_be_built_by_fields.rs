use ecs_agent_credentials::{OperateGrant, SessionPolicy};

fn forge(policy: SessionPolicy) -> OperateGrant {
    OperateGrant {
        plan_hash: String::from("somebody said so"),
        part: None,
        policy,
    }
}

fn main() {}
