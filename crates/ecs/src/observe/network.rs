//! Subnets, routes, security groups, endpoints.

use super::balancing::BalancerReadings;
use super::{Recorder, each};
use crate::aws::{AwsClients, Pages, Reading};
use crate::observation::{
    NatGatewaySnapshot, NetworkAclSnapshot, NetworkSnapshot, RouteTableSnapshot,
    SecurityGroupSnapshot, ServiceSnapshot, SubnetSnapshot, VpcEndpointSnapshot,
};

/// What the service's network configuration names.
#[derive(Debug)]
pub(crate) struct ServiceNetworkReadings {
    subnets: Option<Reading<Pages<SubnetSnapshot>>>,
    acls: Option<Reading<Pages<NetworkAclSnapshot>>>,
    groups: Option<Reading<Pages<SecurityGroupSnapshot>>>,
}

pub(crate) async fn around_service(
    clients: &AwsClients,
    service: &ServiceSnapshot,
) -> ServiceNetworkReadings {
    let subnets = &service.subnets;
    let (subnets, acls, groups) = tokio::join!(
        async {
            if subnets.is_empty() {
                None
            } else {
                Some(clients.describe_subnets(subnets).await)
            }
        },
        async {
            if subnets.is_empty() {
                None
            } else {
                Some(clients.describe_network_acls(subnets).await)
            }
        },
        security_groups(clients, service.security_groups.clone()),
    );
    ServiceNetworkReadings {
        subnets,
        acls,
        groups,
    }
}

/// Describes security groups, if there are any to describe.
pub(crate) async fn security_groups(
    clients: &AwsClients,
    ids: Vec<String>,
) -> Option<Reading<Pages<SecurityGroupSnapshot>>> {
    if ids.is_empty() {
        return None;
    }
    Some(clients.describe_security_groups(&ids).await)
}

impl ServiceNetworkReadings {
    pub(crate) fn record(self, recorder: &mut Recorder) -> NetworkSnapshot {
        NetworkSnapshot {
            subnets: self
                .subnets
                .map(|reading| recorder.cite_all(reading))
                .unwrap_or_default(),
            network_acls: self
                .acls
                .map(|reading| recorder.cite_all(reading))
                .unwrap_or_default(),
            security_groups: self
                .groups
                .map(|reading| recorder.cite_all(reading))
                .unwrap_or_default(),
            ..NetworkSnapshot::default()
        }
    }
}

/// The VPCs that the service's subnets and security groups lie in.
pub(crate) fn vpcs(network: &NetworkSnapshot) -> Vec<String> {
    let mut vpcs: Vec<String> = network
        .subnets
        .iter()
        .map(|subnet| subnet.vpc_id.clone())
        .chain(
            network
                .security_groups
                .iter()
                .map(|group| group.vpc_id.clone()),
        )
        .filter(|vpc| !vpc.is_empty())
        .collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs
}

/// What is read about each VPC.
#[derive(Debug)]
pub(crate) struct VpcReadings(Vec<VpcReading>);

#[derive(Debug)]
struct VpcReading {
    tables: Reading<Pages<RouteTableSnapshot>>,
    endpoints: Reading<Pages<VpcEndpointSnapshot>>,
    gateways: Reading<Pages<NatGatewaySnapshot>>,
}

pub(crate) async fn around_vpcs(clients: &AwsClients, vpcs: &[String]) -> VpcReadings {
    let readings = each(vpcs, |vpc| async move {
        let (tables, endpoints, gateways) = tokio::join!(
            clients.describe_route_tables(vpc),
            clients.describe_vpc_endpoints(vpc),
            clients.describe_nat_gateways(vpc),
        );
        VpcReading {
            tables,
            endpoints,
            gateways,
        }
    });
    VpcReadings(readings.await)
}

impl VpcReadings {
    pub(crate) fn record(self, recorder: &mut Recorder, network: &mut NetworkSnapshot) {
        for vpc in self.0 {
            network.route_tables.extend(recorder.cite_all(vpc.tables));
            network.endpoints.extend(recorder.cite_all(vpc.endpoints));
            network.nat_gateways.extend(recorder.cite_all(vpc.gateways));
        }
    }
}

/// Security groups of load balancers and endpoints that were not read yet.
pub(crate) fn more_security_groups(
    network: &NetworkSnapshot,
    balancers: &BalancerReadings,
) -> Vec<String> {
    let mut ids: Vec<String> = balancers
        .security_groups()
        .into_iter()
        .chain(
            network
                .endpoints
                .iter()
                .flat_map(|endpoint| endpoint.security_groups.clone()),
        )
        .filter(|id| {
            !network
                .security_groups
                .iter()
                .any(|known| known.value.id == *id)
        })
        .collect();
    ids.sort();
    ids.dedup();
    ids
}
