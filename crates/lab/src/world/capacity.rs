use chrono::{DateTime, Utc};
use serde::Serialize;

/// An EC2 instance registered with a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ContainerInstance {
    /// The last part of the ARN.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    pub(crate) ec2_instance_id: String,
    pub(crate) instance_type: String,
    pub(crate) availability_zone: String,
    pub(crate) subnet: String,
    pub(crate) private_ip: String,
    pub(crate) security_groups: Vec<String>,
    /// `ACTIVE` or `DRAINING`.
    pub(crate) status: String,
    pub(crate) agent_connected: bool,
    pub(crate) registered_at: DateTime<Utc>,
    pub(crate) registered: Resources,
    pub(crate) remaining: Resources,
    pub(crate) running_tasks: u32,
    pub(crate) pending_tasks: u32,
    /// The next dynamic host port to give.
    pub(crate) next_host_port: u16,
    /// Attributes besides those that ECS sets.
    pub(crate) attributes: std::collections::BTreeMap<String, String>,
    /// Host ports that something which ECS does not know listens on.
    pub(crate) foreign_ports: Vec<u16>,
}

impl ContainerInstance {
    /// The value of an attribute that placement can ask for.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        match name {
            "ecs.instance-type" => Some(&self.instance_type),
            "ecs.availability-zone" => Some(&self.availability_zone),
            other => self.attributes.get(other).map(String::as_str),
        }
    }
}

/// CPU units and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Resources {
    pub(crate) cpu: u32,
    pub(crate) memory_mib: u32,
}

/// A capacity provider's name and the cluster it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CapacityProvider {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) auto_scaling_group_arn: Option<String>,
}
