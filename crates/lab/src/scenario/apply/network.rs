//! Security groups, routes, network ACLs, endpoints, subnets.

use super::{Hand, layout, missing};
use crate::world::{
    AssignPublicIp, IngressOrEgress, NetworkAcl, NetworkAclEntry, NetworkConfigurationInput,
    Permission, Route, RouteState, RouteTarget, SecurityGroup,
};

impl Hand<'_> {
    pub(super) fn group_ids(&self, service: &str) -> Result<Vec<String>, String> {
        let groups = self
            .service(service)?
            .network
            .as_ref()
            .map(|n| n.security_groups.clone());
        groups.ok_or_else(|| format!("service `{service}` has no security group of its own"))
    }

    pub(super) fn groups_of(
        &mut self,
        service: &str,
        change: impl Fn(&mut SecurityGroup),
    ) -> Result<(), String> {
        let ids = self.group_ids(service)?;
        let region = self.region()?;
        for id in ids {
            if let Some(group) = region.security_groups.get_mut(&id) {
                change(group);
            }
        }
        self.wake()
    }

    pub(super) fn authorize(
        &mut self,
        service: &str,
        direction: IngressOrEgress,
        port: u16,
    ) -> Result<(), String> {
        let ids = self.group_ids(service)?;
        let balancers = self
            .region()?
            .security_groups
            .values()
            .find(|group| group.name == "load-balancers")
            .map(|group| group.id.clone())
            .unwrap_or_default();
        let permission = match direction {
            IngressOrEgress::Ingress => Permission::tcp_group(port, &balancers),
            IngressOrEgress::Egress => Permission::tcp_cidr(port, "0.0.0.0/0"),
        };
        for id in ids {
            self.world
                .authorize_security_group(
                    self.account,
                    self.region,
                    &id,
                    direction,
                    std::slice::from_ref(&permission),
                )
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    pub(super) fn private_routes(
        &mut self,
        change: impl Fn(&mut Vec<Route>),
    ) -> Result<(), String> {
        for table in self
            .region()?
            .route_tables
            .values_mut()
            .filter(|t| t.name == "private")
        {
            change(&mut table.routes);
        }
        self.wake()
    }

    pub(super) fn restore_default_route(&mut self) -> Result<(), String> {
        let nat = self.region()?.nat_gateways.values_mut().next().map(|nat| {
            nat.state = "available".to_owned();
            nat.id.clone()
        });
        let nat = nat.ok_or("there is no NAT gateway")?;
        self.private_routes(|routes| {
            routes.retain(|route| route.destination != "0.0.0.0/0");
            routes.push(Route {
                destination: "0.0.0.0/0".to_owned(),
                target: RouteTarget::NatGateway(nat.clone()),
                state: RouteState::Active,
            });
        })
    }

    pub(super) fn exhaust_subnets(&mut self, service: &str) -> Result<(), String> {
        let subnets = self
            .service(service)?
            .network
            .as_ref()
            .map(|n| n.subnets.clone())
            .unwrap_or_default();
        let region = self.region()?;
        for id in subnets {
            if let Some(subnet) = region.subnets.get_mut(&id) {
                subnet.available_ips = 0;
            }
        }
        Ok(())
    }

    pub(super) fn set_subnets(
        &mut self,
        service: &str,
        letters: &[String],
        public: bool,
        public_ip: bool,
    ) -> Result<(), String> {
        let kind = if public { "public" } else { "private" };
        let subnets = layout::subnets(self.region()?, kind, letters);
        let mut network = self
            .service(service)?
            .network
            .clone()
            .ok_or("the service has no network of its own")?;
        network.subnets = subnets;
        network.assign_public_ip = if public_ip {
            AssignPublicIp::Enabled
        } else {
            AssignPublicIp::Disabled
        };
        self.update(service, |input| {
            input.network_configuration = Some(NetworkConfigurationInput {
                awsvpc_configuration: network,
            });
        })
    }

    pub(super) fn deny_in_network_acl(
        &mut self,
        letters: &[String],
        egress: bool,
        ports: (u16, u16),
    ) -> Result<(), String> {
        let region = self.region()?;
        let subnets = layout::private_subnets(region, letters);
        let vpc = region.vpcs.keys().next().cloned().unwrap_or_default();
        let id = format!("acl-{}", region.ids.child("network/acl").hex(17));
        for acl in region.network_acls.values_mut() {
            acl.subnets.retain(|subnet| !subnets.contains(subnet));
        }
        let mut entries = layout::allow_all();
        entries.push(NetworkAclEntry {
            number: 90,
            egress,
            allow: false,
            cidr: "0.0.0.0/0".to_owned(),
            ports: Some(ports),
        });
        let acl = NetworkAcl {
            id: id.clone(),
            vpc,
            default: false,
            subnets,
            entries,
        };
        region.network_acls.insert(id, acl);
        self.wake()
    }

    pub(super) fn allow_in_network_acls(&mut self) -> Result<(), String> {
        for acl in self.region()?.network_acls.values_mut() {
            acl.entries
                .retain(|entry| entry.allow || entry.number == 32_767);
        }
        self.wake()
    }

    pub(super) fn delete_endpoint(&mut self, endpoint: &str) -> Result<(), String> {
        let region = self.region()?;
        let name = format!("com.amazonaws.{}.{endpoint}", region.name);
        let before = region.vpc_endpoints.len();
        region
            .vpc_endpoints
            .retain(|_, endpoint| endpoint.service_name != name);
        if region.vpc_endpoints.len() == before {
            return Err(missing("endpoint", endpoint));
        }
        let left: Vec<String> = region.vpc_endpoints.keys().cloned().collect();
        for table in region.route_tables.values_mut() {
            table.routes.retain(|route| match &route.target {
                RouteTarget::GatewayEndpoint(id) => left.contains(id),
                RouteTarget::Local
                | RouteTarget::InternetGateway(_)
                | RouteTarget::NatGateway(_) => true,
            });
        }
        self.wake()
    }

    pub(super) fn endpoint_groups(
        &mut self,
        change: impl Fn(&mut SecurityGroup),
    ) -> Result<(), String> {
        let region = self.region()?;
        let group = region
            .security_groups
            .values_mut()
            .find(|group| group.name == "endpoints");
        change(group.ok_or("there are no endpoints; use `add-endpoints` first")?);
        self.wake()
    }

    pub(super) fn set_private_dns(&mut self, endpoint: &str, enabled: bool) -> Result<(), String> {
        let region = self.region()?;
        let name = format!("com.amazonaws.{}.{endpoint}", region.name);
        let found = region
            .vpc_endpoints
            .values_mut()
            .find(|endpoint| endpoint.service_name == name);
        found
            .ok_or_else(|| missing("endpoint", endpoint))?
            .private_dns = enabled;
        self.wake()
    }
}
