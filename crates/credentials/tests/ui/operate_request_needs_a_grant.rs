use ecs_agent_credentials::{Scope, ScopeRequest};

fn widen(scope: Scope) -> ScopeRequest {
    ScopeRequest::Operate(scope)
}

fn main() {}
