use ecs_agent_credentials::AccessKeyId;

fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<AccessKeyId>();
}
