use std::collections::BTreeSet;

use serde::Serialize;

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Vpc {
    pub(crate) id: String,
    pub(crate) cidr: String,
    pub(crate) name: String,
    pub(crate) dns_support: bool,
    pub(crate) dns_hostnames: bool,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) cidr: String,
    pub(crate) availability_zone: String,
    pub(crate) availability_zone_id: String,
    /// Falls by one with each task's network interface.
    pub(crate) available_ips: u32,
    pub(crate) map_public_ip_on_launch: bool,
    pub(crate) route_table: String,
    /// The last part of the address given last: the next interface gets the one after it.
    pub(crate) last_host: u32,
    /// The last parts of the addresses that interfaces hold.
    pub(crate) hosts: BTreeSet<u32>,
}

impl Subnet {
    /// Takes a free address and gives its last part, or `None` if all are in use.
    ///
    /// It goes round, as EC2 does not soon give an address again; `4..=9` are for instances.
    pub(crate) fn take_host(&mut self) -> Option<u32> {
        const HOSTS: std::ops::RangeInclusive<u32> = 10..=254;
        if self.available_ips == 0 {
            return None;
        }
        let after = (self.last_host + 1).max(*HOSTS.start())..=*HOSTS.end();
        let host = after.chain(HOSTS).find(|host| !self.hosts.contains(host))?;
        self.hosts.insert(host);
        self.last_host = host;
        self.available_ips -= 1;
        Some(host)
    }

    /// Takes an interface's address back.
    pub(crate) fn free(&mut self, address: &str) {
        let host = address.rsplit_once('.').map(|(_, host)| host.parse());
        if let Some(Ok(host)) = host {
            self.hosts.remove(&host);
            self.available_ips += 1;
        }
    }
}

/// A route table; its subnets name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RouteTable {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) main: bool,
    pub(crate) routes: Vec<Route>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Route {
    /// A CIDR block, or a prefix list id for a gateway endpoint.
    pub(crate) destination: String,
    pub(crate) target: RouteTarget,
    pub(crate) state: RouteState,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum RouteTarget {
    /// `GatewayId: local`.
    Local,
    /// `GatewayId: igw-...`.
    InternetGateway(String),
    /// `NatGatewayId: nat-...`.
    NatGateway(String),
    /// `GatewayId: vpce-...`.
    GatewayEndpoint(String),
}

wire_enum! {
    /// Whether a route's target exists.
    RouteState { Active = "active", Blackhole = "blackhole" }
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NatGateway {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    /// `available` or `deleted`.
    pub(crate) state: String,
    pub(crate) public_ip: String,
}

/// An internet gateway attached to a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InternetGateway {
    pub(crate) id: String,
    pub(crate) vpc: String,
}

/// A network ACL; stateless, so the way back has to be open as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NetworkAcl {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) default: bool,
    pub(crate) subnets: Vec<String>,
    pub(crate) entries: Vec<NetworkAclEntry>,
}

/// One entry of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NetworkAclEntry {
    /// The lowest number that fits decides.
    pub(crate) number: u32,
    pub(crate) egress: bool,
    pub(crate) allow: bool,
    pub(crate) cidr: String,
    /// TCP ports; every protocol when absent.
    pub(crate) ports: Option<(u16, u16)>,
}

impl NetworkAcl {
    /// Whether TCP traffic with an address on this port passes in a direction.
    pub(crate) fn passes(&self, egress: bool, address: &str, port: u16) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.egress == egress && cidr_holds(&entry.cidr, address))
            .filter(|entry| {
                entry
                    .ports
                    .is_none_or(|(from, to)| (from..=to).contains(&port))
            })
            .min_by_key(|entry| entry.number)
            .is_some_and(|entry| entry.allow)
    }
}

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct VpcEndpoint {
    pub(crate) id: String,
    pub(crate) vpc: String,
    /// `com.amazonaws.<region>.ecr.api` and so on.
    pub(crate) service_name: String,
    pub(crate) endpoint_type: VpcEndpointType,
    pub(crate) state: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) route_tables: Vec<String>,
    pub(crate) private_dns: bool,
}

wire_enum! {
    /// The two kinds of endpoint that the lab knows.
    VpcEndpointType { Interface = "Interface", Gateway = "Gateway" }
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) ingress: Vec<Permission>,
    pub(crate) egress: Vec<Permission>,
}

/// One permission of a security group, in the API's grouping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Permission {
    /// `tcp`, `udp`, `icmp` or `-1` for all.
    pub(crate) protocol: String,
    /// Absent when the protocol is `-1`.
    pub(crate) from_port: Option<i32>,
    pub(crate) to_port: Option<i32>,
    pub(crate) ip_ranges: Vec<IpRange>,
    /// Ids of the groups that are the other end.
    pub(crate) groups: Vec<String>,
    pub(crate) prefix_lists: Vec<String>,
}

/// A CIDR block in a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IpRange {
    pub(crate) cidr: String,
    pub(crate) description: Option<String>,
}

impl Permission {
    /// Everything to or from anywhere.
    pub(crate) fn everything() -> Self {
        Self {
            protocol: "-1".to_owned(),
            from_port: None,
            to_port: None,
            ip_ranges: vec![IpRange {
                cidr: "0.0.0.0/0".to_owned(),
                description: None,
            }],
            groups: Vec::new(),
            prefix_lists: Vec::new(),
        }
    }

    /// One TCP port, with another group as the other end.
    pub(crate) fn tcp_group(port: u16, group: &str) -> Self {
        Self {
            protocol: "tcp".to_owned(),
            from_port: Some(i32::from(port)),
            to_port: Some(i32::from(port)),
            ip_ranges: Vec::new(),
            groups: vec![group.to_owned()],
            prefix_lists: Vec::new(),
        }
    }

    /// One TCP port, with a CIDR block as the other end.
    pub(crate) fn tcp_cidr(port: u16, cidr: &str) -> Self {
        Self {
            ip_ranges: vec![IpRange {
                cidr: cidr.to_owned(),
                description: None,
            }],
            groups: Vec::new(),
            ..Self::tcp_group(port, "")
        }
    }

    /// Whether the permission covers this TCP port.
    pub(crate) fn covers_tcp(&self, port: u16) -> bool {
        let port = i32::from(port);
        match self.protocol.as_str() {
            "-1" => true,
            "tcp" | "6" => {
                self.from_port.is_none_or(|from| from <= port || from == -1)
                    && self.to_port.is_none_or(|to| port <= to || to == -1)
            }
            _ => false,
        }
    }
}

/// Whether a CIDR block holds an IPv4 address; malformed text holds nothing.
pub(crate) fn cidr_holds(cidr: &str, address: &str) -> bool {
    let parsed = cidr.split_once('/').and_then(|(base, bits)| {
        let base: std::net::Ipv4Addr = base.parse().ok()?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let address: std::net::Ipv4Addr = address.parse().ok()?;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Some(u32::from(base) & mask == u32::from(address) & mask)
    });
    parsed.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(available_ips: u32) -> Subnet {
        Subnet {
            id: "subnet-1".to_owned(),
            arn: String::new(),
            vpc: "vpc-1".to_owned(),
            name: "private-a".to_owned(),
            cidr: "10.0.10.0/24".to_owned(),
            availability_zone: "us-east-1a".to_owned(),
            availability_zone_id: "use1-az1".to_owned(),
            available_ips,
            map_public_ip_on_launch: false,
            route_table: "rtb-1".to_owned(),
            last_host: 10,
            hosts: BTreeSet::new(),
        }
    }

    #[test]
    fn an_address_in_use_is_never_given_again_and_a_free_one_is() {
        let mut subnet = subnet(251);
        let first = subnet.take_host().unwrap();
        // Many short tasks come and go while the first stays.
        for _ in 0..1_000 {
            let host = subnet.take_host().unwrap();
            assert_ne!(host, first);
            subnet.free(&format!("10.0.10.{host}"));
        }
        let taken: Vec<u32> = std::iter::from_fn(|| subnet.take_host()).collect();
        assert_eq!(taken.len(), 244, "all from .10 to .254 but the first");
        assert_eq!(subnet.hosts.len(), 245);
        subnet.free("10.0.10.77");
        assert_eq!(subnet.take_host(), Some(77));
    }

    #[test]
    fn a_subnet_without_free_addresses_gives_none() {
        let mut subnet = subnet(1);
        assert_eq!(subnet.take_host(), Some(11));
        assert_eq!(subnet.take_host(), None);
    }
}
