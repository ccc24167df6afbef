//! The fault lab: a causal simulator of the AWS APIs that an Amazon ECS service depends on.

mod oracle;
mod scenario;
mod scheduler;
mod world;
