use ecs_agent_credentials::AccessKeyId;

fn needs<T: std::fmt::Display>() {}

fn main() {
    needs::<AccessKeyId>();
}
