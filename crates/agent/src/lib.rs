//! The ECS Deep Agent: main agent, five subagents, tools and the invocation's life.
