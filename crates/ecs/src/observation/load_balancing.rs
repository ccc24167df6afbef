//! Load balancers, listeners, target groups and targets.

use serde::{Deserialize, Serialize};

/// One load balancer (`DescribeLoadBalancers`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LoadBalancerSnapshot {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// `application` or `network`.
    pub kind: String,
    /// `internet-facing` or `internal`.
    pub scheme: Option<String>,
    /// DNS name.
    pub dns_name: Option<String>,
    /// `active`, `provisioning`, `failed`.
    pub state: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Availability zones it is enabled in.
    pub availability_zones: Vec<String>,
    /// VPC.
    pub vpc_id: Option<String>,
    /// Listeners.
    pub listeners: Vec<ListenerSnapshot>,
}

/// One listener with the target groups its default action and rules forward to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListenerSnapshot {
    /// ARN.
    pub arn: String,
    /// Port.
    pub port: Option<i32>,
    /// Protocol.
    pub protocol: Option<String>,
    /// Target groups forwarded to by the default action or a rule.
    pub forwards_to: Vec<String>,
}

/// One target group with its targets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TargetGroupSnapshot {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// `ip`, `instance`, `lambda`.
    pub target_type: Option<String>,
    /// Protocol.
    pub protocol: Option<String>,
    /// Default port.
    pub port: Option<i32>,
    /// VPC.
    pub vpc_id: Option<String>,
    /// Load balancers it is attached to.
    pub load_balancer_arns: Vec<String>,
    /// Health check.
    pub health_check: HealthCheck,
    /// Seconds a target drains.
    pub deregistration_delay_seconds: Option<i32>,
    /// Registered targets.
    pub targets: Vec<TargetSnapshot>,
}

/// A target group's health check.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `HTTP`, `HTTPS`, `TCP`.
    pub protocol: Option<String>,
    /// Port, or `traffic-port`.
    pub port: Option<String>,
    /// Path.
    pub path: Option<String>,
    /// Seconds between checks.
    pub interval_seconds: Option<i32>,
    /// Seconds until a check fails.
    pub timeout_seconds: Option<i32>,
    /// Successes in a row that make a target healthy.
    pub healthy_threshold: Option<i32>,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy_threshold: Option<i32>,
    /// Accepted HTTP codes, such as `200-299`.
    pub matcher: Option<String>,
}

/// One registered target and its health (`DescribeTargetHealth`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TargetSnapshot {
    /// IP address or instance id.
    pub id: String,
    /// Port.
    pub port: Option<i32>,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`.
    pub state: String,
    /// Reason code, such as `Target.Timeout`.
    pub reason: Option<String>,
    /// AWS's words.
    pub description: Option<String>,
    /// Availability zone.
    pub availability_zone: Option<String>,
}
