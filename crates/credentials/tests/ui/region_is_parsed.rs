use ecs_agent_credentials::Region;

fn main() {
    let _region = Region(String::from("eu-west-1.evil.example"));
}
