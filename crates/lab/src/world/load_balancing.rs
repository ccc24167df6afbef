use chrono::{DateTime, Utc};
use serde::Serialize;

/// An application load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LoadBalancer {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) dns_name: String,
    /// `internet-facing` or `internal`.
    pub(crate) scheme: String,
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// A listener; its default action forwards to one target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listener {
    pub(crate) arn: String,
    pub(crate) load_balancer: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    /// ARN of the target group that the default action forwards to.
    pub(crate) default_target_group: String,
}

/// A listener rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ListenerRule {
    pub(crate) arn: String,
    pub(crate) listener: String,
    /// A number, or `default`.
    pub(crate) priority: String,
    /// Path patterns; empty for the default rule.
    pub(crate) path_patterns: Vec<String>,
    pub(crate) target_group: String,
}

/// A target group with its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TargetGroup {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) vpc: String,
    pub(crate) protocol: String,
    pub(crate) port: u16,
    pub(crate) target_type: TargetType,
    pub(crate) health_check: HealthCheck,
    /// `deregistration_delay.timeout_seconds`.
    pub(crate) deregistration_delay_seconds: u32,
    /// ARNs of the load balancers that send it traffic.
    pub(crate) load_balancers: Vec<String>,
    pub(crate) targets: Vec<Target>,
}

wire_enum! {
    /// What a target id names.
    TargetType { Ip = "ip", Instance = "instance" }
}

/// A target group's health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HealthCheck {
    pub(crate) protocol: String,
    pub(crate) port: HealthCheckPort,
    pub(crate) path: String,
    pub(crate) interval_seconds: u32,
    pub(crate) timeout_seconds: u32,
    pub(crate) healthy_threshold: u32,
    pub(crate) unhealthy_threshold: u32,
    /// The matcher: `200`, `200-299`, `200,301`.
    pub(crate) success_codes: String,
}

/// The port that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum HealthCheckPort {
    /// `traffic-port`.
    Traffic,
    Fixed(u16),
}

/// One registered target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// An address or an instance id.
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) availability_zone: String,
    /// The id of the task behind it.
    pub(crate) task: String,
    pub(crate) state: TargetState,
    pub(crate) reason: Option<TargetReason>,
    pub(crate) description: Option<String>,
    pub(crate) registered_at: DateTime<Utc>,
    pub(crate) next_check_at: DateTime<Utc>,
    /// When draining ends.
    pub(crate) drained_at: Option<DateTime<Utc>>,
    pub(crate) successes: u32,
    pub(crate) failures: u32,
}

wire_enum! {
    /// `TargetHealth.State`.
    TargetState {
        Initial = "initial", Healthy = "healthy", Unhealthy = "unhealthy",
        Unused = "unused", Draining = "draining",
    }
}

wire_enum! {
    /// `TargetHealth.Reason`.
    TargetReason {
        RegistrationInProgress = "Elb.RegistrationInProgress",
        InitialHealthChecking = "Elb.InitialHealthChecking",
        ResponseCodeMismatch = "Target.ResponseCodeMismatch",
        Timeout = "Target.Timeout",
        FailedHealthChecks = "Target.FailedHealthChecks",
        NotRegistered = "Target.NotRegistered",
        NotInUse = "Target.NotInUse",
        DeregistrationInProgress = "Target.DeregistrationInProgress",
    }
}

impl HealthCheckPort {
    /// As the API writes it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Traffic => "traffic-port".to_owned(),
            Self::Fixed(port) => port.to_string(),
        }
    }
}

impl HealthCheck {
    /// Whether the matcher accepts an HTTP status.
    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.success_codes
            .split(',')
            .any(|part| match part.trim().split_once('-') {
                Some((low, high)) => {
                    low.parse().is_ok_and(|low: u16| low <= status)
                        && high.parse().is_ok_and(|high: u16| status <= high)
                }
                None => part.trim().parse() == Ok(status),
            })
    }
}
