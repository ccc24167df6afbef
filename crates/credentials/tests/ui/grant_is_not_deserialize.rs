use ecs_agent_credentials::OperateGrant;

fn needs<T: serde::Deserialize<'static>>() {}

fn main() {
    needs::<OperateGrant>();
}
