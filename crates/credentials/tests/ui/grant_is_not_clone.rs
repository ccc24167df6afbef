use ecs_agent_credentials::OperateGrant;

fn needs<T: Clone>() {}

fn main() {
    needs::<OperateGrant>();
}
