//! From AWS's answers to snapshots: small pure functions.
//!
//! SECURITY: these are the allow list. A field that no function here copies is never kept, so
//! values of environment variables, commands, labels and secret log options end here.

mod balancing;
mod container;
mod registry;
mod roles;
mod service;
mod surroundings;
mod task;
mod task_definition;

pub(crate) use balancing::{forwards_to, listener, load_balancer, target, target_group};
pub(crate) use container::container_instance;
pub(crate) use registry::{ImageReference, newest_tags};
pub(crate) use roles::{simulated_actions, trusted_services};
pub(crate) use service::service;
pub(crate) use surroundings::{activity, log_line, stack_failure};
pub(crate) use task::task;
pub(crate) use task_definition::task_definition;

/// An absent list is an empty one.
pub(crate) fn texts(list: Option<&[String]>) -> Vec<String> {
    list.unwrap_or_default().to_vec()
}
