use crate::world::{
    AwsError, Permission, Region, Route, RouteState, RouteTarget, SecurityGroup, World,
};

/// Which side of a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IngressOrEgress {
    Ingress,
    Egress,
}

/// `CreateRoute` adds, `ReplaceRoute` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteChange {
    Create,
    Replace,
}

impl SecurityGroup {
    fn side(&mut self, direction: IngressOrEgress) -> &mut Vec<Permission> {
        match direction {
            IngressOrEgress::Ingress => &mut self.ingress,
            IngressOrEgress::Egress => &mut self.egress,
        }
    }
}

impl World {
    fn network_region(&mut self, account: &str, region: &str) -> Result<&mut Region, AwsError> {
        self.region_mut(account, region).ok_or_else(|| {
            AwsError::new(
                "InvalidVpcID.NotFound",
                "There is no network in this region",
            )
        })
    }

    /// `AuthorizeSecurityGroupIngress` / `...Egress`.
    pub(crate) fn authorize_security_group(
        &mut self,
        account: &str,
        region: &str,
        group: &str,
        direction: IngressOrEgress,
        permissions: &[Permission],
    ) -> Result<(), AwsError> {
        let now = self.now;
        let region = self.network_region(account, region)?;
        for other in permissions.iter().flat_map(|permission| &permission.groups) {
            if !region.security_groups.contains_key(other) {
                return Err(no_such_group(other));
            }
        }
        let rules = region
            .security_groups
            .get_mut(group)
            .ok_or_else(|| no_such_group(group))?
            .side(direction);
        for permission in permissions.iter().flat_map(single_rules) {
            if rules
                .iter()
                .flat_map(single_rules)
                .any(|rule| same_rule(&rule, &permission))
            {
                return Err(AwsError::new(
                    "InvalidPermission.Duplicate",
                    "the specified rule already exists",
                ));
            }
        }
        rules.extend(permissions.iter().cloned());
        region.wake(now);
        Ok(())
    }

    /// `RevokeSecurityGroupIngress` / `...Egress`.
    pub(crate) fn revoke_security_group(
        &mut self,
        account: &str,
        region: &str,
        group: &str,
        direction: IngressOrEgress,
        permissions: &[Permission],
    ) -> Result<(), AwsError> {
        let now = self.now;
        let region = self.network_region(account, region)?;
        let rules = region
            .security_groups
            .get_mut(group)
            .ok_or_else(|| no_such_group(group))?
            .side(direction);
        let mut left: Vec<Permission> = rules.iter().flat_map(single_rules).collect();
        for permission in permissions.iter().flat_map(single_rules) {
            let before = left.len();
            left.retain(|rule| !same_rule(rule, &permission));
            if left.len() == before {
                return Err(AwsError::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                ));
            }
        }
        *rules = left;
        region.wake(now);
        Ok(())
    }

    /// `CreateRoute` or `ReplaceRoute` to a NAT or internet gateway of the same VPC.
    pub(crate) fn set_route(
        &mut self,
        account: &str,
        region: &str,
        table: &str,
        destination: &str,
        target: RouteTarget,
        change: RouteChange,
    ) -> Result<(), AwsError> {
        let now = self.now;
        let region = self.network_region(account, region)?;
        match &target {
            RouteTarget::NatGateway(id) => {
                let usable = region
                    .nat_gateways
                    .get(id)
                    .is_some_and(|nat| nat.state == "available");
                if !usable {
                    return Err(AwsError::new(
                        "InvalidNatGatewayID.NotFound",
                        format!("The natGateway ID '{id}' does not exist"),
                    ));
                }
            }
            RouteTarget::InternetGateway(id) => {
                if !region.internet_gateways.contains_key(id) {
                    return Err(AwsError::new(
                        "InvalidGatewayID.NotFound",
                        format!("The gateway ID '{id}' does not exist"),
                    ));
                }
            }
            RouteTarget::Local | RouteTarget::GatewayEndpoint(_) => {
                return Err(AwsError::new(
                    "InvalidParameterValue",
                    "A route can be set to a NAT gateway or an internet gateway",
                ));
            }
        }
        let table = region.route_tables.get_mut(table).ok_or_else(|| {
            AwsError::new(
                "InvalidRouteTableID.NotFound",
                format!("The routeTable ID '{table}' does not exist"),
            )
        })?;
        let existing = table
            .routes
            .iter_mut()
            .find(|route| route.destination == destination);
        match (change, existing) {
            (RouteChange::Create, Some(_)) => {
                return Err(AwsError::new(
                    "RouteAlreadyExists",
                    format!("The route identified by {destination} already exists."),
                ));
            }
            (RouteChange::Replace, None) => {
                return Err(AwsError::new(
                    "InvalidRoute.NotFound",
                    format!("There is no route defined for '{destination}' in the route table."),
                ));
            }
            (RouteChange::Create, None) => table.routes.push(Route {
                destination: destination.to_owned(),
                target,
                state: RouteState::Active,
            }),
            (RouteChange::Replace, Some(route)) => {
                route.target = target;
                route.state = RouteState::Active;
            }
        }
        region.wake(now);
        Ok(())
    }
}

fn no_such_group(id: &str) -> AwsError {
    AwsError::new(
        "InvalidGroup.NotFound",
        format!("The security group '{id}' does not exist"),
    )
}

/// Splits a permission into rules with one other end each, as AWS stores them.
fn single_rules(permission: &Permission) -> Vec<Permission> {
    let empty = Permission {
        ip_ranges: Vec::new(),
        groups: Vec::new(),
        prefix_lists: Vec::new(),
        ..permission.clone()
    };
    let ranges = permission.ip_ranges.iter().map(|range| Permission {
        ip_ranges: vec![range.clone()],
        ..empty.clone()
    });
    let groups = permission.groups.iter().map(|id| Permission {
        groups: vec![id.clone()],
        ..empty.clone()
    });
    let lists = permission.prefix_lists.iter().map(|id| Permission {
        prefix_lists: vec![id.clone()],
        ..empty.clone()
    });
    ranges.chain(groups).chain(lists).collect()
}

/// Descriptions do not make a rule different.
fn same_rule(a: &Permission, b: &Permission) -> bool {
    a.protocol == b.protocol
        && a.from_port == b.from_port
        && a.to_port == b.to_port
        && a.groups == b.groups
        && a.prefix_lists == b.prefix_lists
        && a.ip_ranges
            .iter()
            .map(|r| &r.cidr)
            .eq(b.ip_ranges.iter().map(|r| &r.cidr))
}
