//! The network of a scenario's region: one VPC, two public and three private subnets, one NAT
//! gateway, no endpoints.

use std::collections::BTreeSet;

use crate::world::{
    InternetGateway, NatGateway, NetworkAcl, NetworkAclEntry, Permission, Region, Route,
    RouteState, RouteTable, RouteTarget, SecurityGroup, Subnet, Vpc, VpcEndpoint, VpcEndpointType,
};

const VPC_CIDR: &str = "10.0.0.0/16";

pub(super) fn furnish(region: &mut Region) {
    let mut ids = region.ids.child("network");
    let vpc = format!("vpc-{}", ids.hex(17));
    region.vpcs.insert(
        vpc.clone(),
        Vpc {
            id: vpc.clone(),
            cidr: VPC_CIDR.to_owned(),
            name: "main".to_owned(),
            dns_support: true,
            dns_hostnames: true,
        },
    );
    let gateway = format!("igw-{}", ids.hex(17));
    region.internet_gateways.insert(
        gateway.clone(),
        InternetGateway {
            id: gateway.clone(),
            vpc: vpc.clone(),
        },
    );
    let nat = format!("nat-{}", ids.hex(17));
    let local = Route {
        destination: VPC_CIDR.to_owned(),
        target: RouteTarget::Local,
        state: RouteState::Active,
    };
    let mut tables = Vec::new();
    for (name, target) in [
        ("public", RouteTarget::InternetGateway(gateway)),
        ("private", RouteTarget::NatGateway(nat.clone())),
    ] {
        let id = format!("rtb-{}", ids.hex(17));
        let default = Route {
            destination: "0.0.0.0/0".to_owned(),
            target,
            state: RouteState::Active,
        };
        region.route_tables.insert(
            id.clone(),
            RouteTable {
                id: id.clone(),
                vpc: vpc.clone(),
                name: name.to_owned(),
                main: name == "public",
                routes: vec![local.clone(), default],
            },
        );
        tables.push((name, id));
    }
    let mut nat_subnet = None;
    for (kind, letter, third) in [
        ("public", 'a', 0),
        ("public", 'b', 1),
        ("private", 'a', 10),
        ("private", 'b', 11),
        ("private", 'c', 12),
    ] {
        let id = format!("subnet-{}", ids.hex(17));
        let table = tables
            .iter()
            .find(|(name, _)| *name == kind)
            .map(|(_, id)| id.clone());
        if kind == "public" {
            nat_subnet.get_or_insert_with(|| id.clone());
        }
        region.subnets.insert(
            id.clone(),
            Subnet {
                arn: region.arn("ec2", &format!("subnet/{id}")),
                vpc: vpc.clone(),
                name: format!("{kind}-{letter}"),
                cidr: format!("10.0.{third}.0/24"),
                availability_zone: format!("{}{letter}", region.name),
                availability_zone_id: format!(
                    "{}-az{}",
                    zone_prefix(&region.name),
                    letter as u32 - 96
                ),
                available_ips: 251,
                map_public_ip_on_launch: kind == "public",
                route_table: table.unwrap_or_default(),
                last_host: 10,
                hosts: BTreeSet::new(),
                id,
            },
        );
    }
    // The third public subnet came later, so its id is drawn apart.
    let id = format!("subnet-{}", region.ids.child("network/public-c").hex(17));
    let table = tables
        .iter()
        .find(|(name, _)| *name == "public")
        .map(|(_, id)| id.clone());
    region.subnets.insert(
        id.clone(),
        Subnet {
            arn: region.arn("ec2", &format!("subnet/{id}")),
            vpc: vpc.clone(),
            name: "public-c".to_owned(),
            cidr: "10.0.2.0/24".to_owned(),
            availability_zone: format!("{}c", region.name),
            availability_zone_id: format!("{}-az3", zone_prefix(&region.name)),
            available_ips: 251,
            map_public_ip_on_launch: true,
            route_table: table.unwrap_or_default(),
            last_host: 10,
            hosts: BTreeSet::new(),
            id,
        },
    );
    let acl = format!("acl-{}", vpc.trim_start_matches("vpc-"));
    region.network_acls.insert(
        acl.clone(),
        NetworkAcl {
            id: acl,
            vpc: vpc.clone(),
            default: true,
            subnets: region.subnets.keys().cloned().collect(),
            entries: allow_all(),
        },
    );
    region.nat_gateways.insert(
        nat.clone(),
        NatGateway {
            id: nat,
            vpc: vpc.clone(),
            subnet: nat_subnet.unwrap_or_default(),
            state: "available".to_owned(),
            public_ip: "203.0.113.9".to_owned(),
        },
    );
    let balancer = format!("sg-{}", ids.hex(17));
    region.security_groups.insert(
        balancer.clone(),
        SecurityGroup {
            id: balancer,
            vpc,
            name: "load-balancers".to_owned(),
            description: "Public load balancers".to_owned(),
            ingress: vec![Permission::tcp_cidr(80, "0.0.0.0/0")],
            egress: vec![Permission::everything()],
        },
    );
}

/// The entries of a network ACL that lets everything pass.
pub(super) fn allow_all() -> Vec<NetworkAclEntry> {
    [(100, true), (32_767, false)]
        .into_iter()
        .flat_map(|(number, allow)| {
            [true, false].map(|egress| NetworkAclEntry {
                number,
                egress,
                allow,
                cidr: "0.0.0.0/0".to_owned(),
                ports: None,
            })
        })
        .collect()
}

/// The endpoints that a Fargate task without any other way out needs, with the S3 gateway.
pub(super) fn add_endpoints(region: &mut Region) {
    let Some(vpc) = region.vpcs.keys().next().cloned() else {
        return;
    };
    let mut ids = region.ids.child("endpoints");
    let group = format!("sg-{}", ids.hex(17));
    region.security_groups.insert(
        group.clone(),
        SecurityGroup {
            id: group.clone(),
            vpc: vpc.clone(),
            name: "endpoints".to_owned(),
            description: "Interface endpoints".to_owned(),
            ingress: vec![Permission::tcp_cidr(443, VPC_CIDR)],
            egress: Vec::new(),
        },
    );
    let subnets = private_subnets(region, &["a".to_owned(), "b".to_owned()]);
    for service in ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm"] {
        let id = format!("vpce-{}", ids.hex(17));
        let endpoint = VpcEndpoint {
            id: id.clone(),
            vpc: vpc.clone(),
            service_name: format!("com.amazonaws.{}.{service}", region.name),
            endpoint_type: VpcEndpointType::Interface,
            state: "available".to_owned(),
            subnets: subnets.clone(),
            security_groups: vec![group.clone()],
            route_tables: Vec::new(),
            private_dns: true,
        };
        region.vpc_endpoints.insert(id, endpoint);
    }
    let id = format!("vpce-{}", ids.hex(17));
    let mut tables = Vec::new();
    for table in region
        .route_tables
        .values_mut()
        .filter(|table| table.name == "private")
    {
        tables.push(table.id.clone());
        table.routes.push(Route {
            destination: format!("pl-{}", ids.hex(8)),
            target: RouteTarget::GatewayEndpoint(id.clone()),
            state: RouteState::Active,
        });
    }
    let gateway = VpcEndpoint {
        id: id.clone(),
        vpc,
        service_name: format!("com.amazonaws.{}.s3", region.name),
        endpoint_type: VpcEndpointType::Gateway,
        state: "available".to_owned(),
        subnets: Vec::new(),
        security_groups: Vec::new(),
        route_tables: tables,
        private_dns: false,
    };
    region.vpc_endpoints.insert(id, gateway);
}

/// `us-east-1` is `use1` in zone ids.
fn zone_prefix(region: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let direction = parts.next().and_then(|d| d.get(..1)).unwrap_or_default();
    format!("{area}{direction}{}", parts.next().unwrap_or_default())
}

/// The ids of the private subnets with these letters.
pub(super) fn private_subnets(region: &Region, letters: &[String]) -> Vec<String> {
    subnets(region, "private", letters)
}

/// The ids of the subnets of a kind (`public` or `private`) with these letters.
pub(super) fn subnets(region: &Region, kind: &str, letters: &[String]) -> Vec<String> {
    letters
        .iter()
        .filter_map(|letter| {
            let name = format!("{kind}-{letter}");
            region.subnets.values().find(|subnet| subnet.name == name)
        })
        .map(|subnet| subnet.id.clone())
        .collect()
}
