//! Whole VPCs: what lies in one, beyond what a single service names.

use serde::Serialize;

use super::ec2::{filtered, in_vpc, security_group, subnet};
use super::{AwsClients, Element, Pages, Reading};
use crate::observation::{SecurityGroupSnapshot, SubnetSnapshot};

/// A VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VpcSnapshot {
    /// Its id.
    pub id: String,
    /// Its address range.
    pub cidr: String,
    /// `available` or `pending`.
    pub state: String,
    /// Whether it is the region's default VPC.
    pub is_default: bool,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NetworkInterfaceSnapshot {
    /// Its id.
    pub id: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `in-use` or `available`.
    pub status: String,
    /// `interface`, `nat_gateway`, `network_load_balancer` and so on.
    pub kind: String,
    /// Its private address.
    pub private_ip: Option<String>,
    /// Its public address.
    pub public_ip: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
}

/// An internet gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InternetGatewaySnapshot {
    /// Its id.
    pub id: String,
    /// The VPCs it is attached to.
    pub vpcs: Vec<String>,
}

impl AwsClients {
    /// Describes one VPC, or all of the region.
    pub(crate) async fn describe_vpcs(&self, vpc: Option<&str>) -> Reading<Pages<VpcSnapshot>> {
        let params = vpc.map(in_vpc).unwrap_or_default();
        let subject = vpc.unwrap_or("every VPC");
        self.describe("ec2:DescribeVpcs", subject, params, "vpcSet", read_vpc)
            .await
    }

    pub(crate) async fn subnets_of(&self, vpc: &str) -> Reading<Pages<SubnetSnapshot>> {
        let params = in_vpc(vpc);
        self.describe("ec2:DescribeSubnets", vpc, params, "subnetSet", subnet)
            .await
    }

    pub(crate) async fn security_groups_of(
        &self,
        vpc: &str,
    ) -> Reading<Pages<SecurityGroupSnapshot>> {
        let call = "ec2:DescribeSecurityGroups";
        self.describe(call, vpc, in_vpc(vpc), "securityGroupInfo", security_group)
            .await
    }

    pub(crate) async fn network_interfaces_of(
        &self,
        vpc: &str,
    ) -> Reading<Pages<NetworkInterfaceSnapshot>> {
        let call = "ec2:DescribeNetworkInterfaces";
        self.describe(call, vpc, in_vpc(vpc), "networkInterfaceSet", interface)
            .await
    }

    pub(crate) async fn internet_gateways_of(
        &self,
        vpc: &str,
    ) -> Reading<Pages<InternetGatewaySnapshot>> {
        let params = filtered("attachment.vpc-id", &[vpc.to_owned()]);
        let call = "ec2:DescribeInternetGateways";
        self.describe(call, vpc, params, "internetGatewaySet", gateway)
            .await
    }
}

fn read_vpc(item: &Element) -> VpcSnapshot {
    VpcSnapshot {
        id: item.text("vpcId"),
        cidr: item.text("cidrBlock"),
        state: item.text("state"),
        is_default: item.flag("isDefault"),
    }
}

fn interface(item: &Element) -> NetworkInterfaceSnapshot {
    let association = item.child("association");
    NetworkInterfaceSnapshot {
        id: item.text("networkInterfaceId"),
        subnet_id: item.text("subnetId"),
        vpc_id: item.text("vpcId"),
        status: item.text("status"),
        kind: item.text("interfaceType"),
        private_ip: item.get("privateIpAddress"),
        public_ip: association.and_then(|association| association.get("publicIp")),
        security_groups: item
            .items("groupSet")
            .filter_map(|group| group.get("groupId"))
            .collect(),
    }
}

fn gateway(item: &Element) -> InternetGatewaySnapshot {
    InternetGatewaySnapshot {
        id: item.text("internetGatewayId"),
        vpcs: item
            .items("attachmentSet")
            .filter_map(|attachment| attachment.get("vpcId"))
            .collect(),
    }
}
