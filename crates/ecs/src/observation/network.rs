//! The network around the service's tasks.

use serde::{Deserialize, Serialize};

use super::Cited;

/// Subnets, routes, security groups, endpoints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NetworkSnapshot {
    /// Subnets of the service.
    pub subnets: Vec<Cited<SubnetSnapshot>>,
    /// Route tables of their VPC.
    pub route_tables: Vec<Cited<RouteTableSnapshot>>,
    /// Security groups of the service and of its load balancers and endpoints.
    pub security_groups: Vec<Cited<SecurityGroupSnapshot>>,
    /// VPC endpoints.
    pub endpoints: Vec<Cited<VpcEndpointSnapshot>>,
    /// NAT gateways.
    pub nat_gateways: Vec<Cited<NatGatewaySnapshot>>,
    /// Network ACLs of the subnets.
    pub network_acls: Vec<Cited<NetworkAclSnapshot>>,
}

/// One subnet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SubnetSnapshot {
    /// Id.
    pub id: String,
    /// VPC.
    pub vpc_id: String,
    /// Availability zone.
    pub availability_zone: String,
    /// IPv4 CIDR block.
    pub cidr: String,
    /// Free IPv4 addresses.
    pub available_ips: i64,
    /// Whether new interfaces get a public address by default.
    pub maps_public_ip: bool,
}

/// One route table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RouteTableSnapshot {
    /// Id.
    pub id: String,
    /// VPC.
    pub vpc_id: String,
    /// Whether it is the VPC's main table (used by subnets without their own).
    pub main: bool,
    /// Subnets explicitly associated.
    pub subnets: Vec<String>,
    /// Routes.
    pub routes: Vec<RouteSnapshot>,
}

/// One route.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RouteSnapshot {
    /// Destination CIDR or prefix list.
    pub destination: String,
    /// `igw-…`, `nat-…`, `local`, `vpce-…`, `eni-…`, `tgw-…`, `pcx-…`.
    pub target: String,
    /// `active` or `blackhole`.
    pub state: String,
}

/// One security group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SecurityGroupSnapshot {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// VPC.
    pub vpc_id: String,
    /// Inbound rules.
    pub ingress: Vec<SecurityRule>,
    /// Outbound rules.
    pub egress: Vec<SecurityRule>,
}

/// One rule: protocol, ports, and who is on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityRule {
    /// `tcp`, `udp`, `icmp` or `-1` for all.
    pub protocol: String,
    /// First port; absent for all.
    pub from_port: Option<i32>,
    /// Last port; absent for all.
    pub to_port: Option<i32>,
    /// CIDR blocks.
    pub cidrs: Vec<String>,
    /// Security groups.
    pub groups: Vec<String>,
    /// Prefix lists.
    pub prefix_lists: Vec<String>,
}

impl SecurityRule {
    /// Whether the rule covers this TCP port.
    #[must_use]
    pub fn covers_tcp(&self, port: i32) -> bool {
        match self.protocol.as_str() {
            "-1" => true,
            "tcp" | "6" => {
                self.from_port.is_none_or(|from| from <= port)
                    && self.to_port.is_none_or(|to| port <= to)
            }
            _ => false,
        }
    }
}

/// One VPC endpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VpcEndpointSnapshot {
    /// Id.
    pub id: String,
    /// VPC.
    pub vpc_id: String,
    /// Service name, such as `com.amazonaws.us-east-1.ecr.api`.
    pub service: String,
    /// `Interface` or `Gateway`.
    pub kind: String,
    /// `available`, …
    pub state: String,
    /// Whether private DNS is on.
    pub private_dns: bool,
    /// Subnets of an interface endpoint.
    pub subnets: Vec<String>,
    /// Route tables of a gateway endpoint.
    pub route_tables: Vec<String>,
    /// Security groups of an interface endpoint.
    pub security_groups: Vec<String>,
}

/// One NAT gateway.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NatGatewaySnapshot {
    /// Id.
    pub id: String,
    /// Subnet it sits in.
    pub subnet_id: String,
    /// `available`, `failed`, `deleted`, …
    pub state: String,
}

/// One network ACL.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NetworkAclSnapshot {
    /// Id.
    pub id: String,
    /// Subnets it guards.
    pub subnets: Vec<String>,
    /// Entries as AWS lists them.
    pub entries: Vec<NetworkAclEntry>,
}

/// One entry of a network ACL: the lowest number that fits decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// Its number.
    pub rule_number: i32,
    /// Whether it is about traffic that leaves the subnet.
    pub egress: bool,
    /// Whether it allows or denies.
    pub allow: bool,
    /// Protocol number, or `-1` for all.
    pub protocol: String,
    /// Block of the other side.
    pub cidr: String,
    /// First port; absent for all.
    pub from_port: Option<i32>,
    /// Last port; absent for all.
    pub to_port: Option<i32>,
}
