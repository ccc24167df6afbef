use ecs_agent_credentials::{Scope, ScopeRequest};

fn widen(scope: Scope) -> ScopeRequest {
    ScopeRequest::operate(scope)
}

fn main() {}
