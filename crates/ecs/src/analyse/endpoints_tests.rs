use super::super::tests::assert_roots;
use super::*;
use crate::testing::*;

const SECRET: &str = "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration.";
const LOGS: &str = "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch.";
const ENDPOINT_GROUP: &str = "sg-0ccccccccccccccc1";

fn endpoint(service: &str) -> VpcEndpointSnapshot {
    VpcEndpointSnapshot {
        id: format!("vpce-{}", service.replace('.', "-")),
        vpc_id: "vpc-1".to_owned(),
        service: format!("com.amazonaws.{REGION}.{service}"),
        kind: "Interface".to_owned(),
        state: "available".to_owned(),
        private_dns: true,
        subnets: vec![SUBNET_A.to_owned(), SUBNET_B.to_owned()],
        security_groups: vec![ENDPOINT_GROUP.to_owned()],
        ..VpcEndpointSnapshot::default()
    }
}

/// A deployment in subnets that reach AWS through endpoints alone, whose tasks fail to start.
fn endpoints_only(services: &[&str], text: &str) -> World {
    let mut world = World::deploying(|_| ());
    world.route_tables[0].routes.clear();
    world.endpoints = ["ecr.api", "ecr.dkr", "s3"]
        .iter()
        .chain(services)
        .map(|service| endpoint(service))
        .collect();
    world.groups.push(SecurityGroupSnapshot {
        id: ENDPOINT_GROUP.to_owned(),
        name: "endpoints".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        ingress: vec![rule((443, 443), &["10.0.0.0/16"], &[])],
        egress: Vec::new(),
    });
    world.stopped(-60, "TaskFailedToStart", text);
    world
}

#[test]
fn the_endpoint_that_is_missing_is_the_cause() {
    assert_roots(
        &endpoints_only(&["logs"], SECRET),
        &["secrets-endpoint-unreachable"],
    );
    assert_roots(
        &endpoints_only(&["secretsmanager"], LOGS),
        &["logs-endpoint-unreachable"],
    );
}

#[test]
fn an_endpoint_that_lets_the_tasks_not_in() {
    for (cidrs, groups, open) in [
        (&["10.0.0.0/16"][..], &[][..], true),
        (&["10.9.0.0/16"], &[], false),
        (&[], &[GROUP], true),
        (&[], &[BALANCER_GROUP], false),
    ] {
        let mut world = endpoints_only(&["secretsmanager", "logs"], SECRET);
        let last = world.groups.len() - 1;
        world.groups[last].ingress = vec![rule((443, 443), cidrs, groups)];
        let expected: &[&str] = if open {
            &[]
        } else {
            &["vpce-sg-ingress-blocked"]
        };
        assert_roots(&world, expected);
    }
}

/// Look-alike: with a way to the internet, a missing endpoint explains nothing.
#[test]
fn a_missing_endpoint_beside_a_nat_gateway_is_no_cause() {
    let mut world = World::deploying(|_| ());
    world.endpoints = vec![endpoint("ecr.api")];
    world.stopped(-60, "TaskFailedToStart", SECRET);
    assert_roots(&world, &[]);
}

fn entry(
    rule_number: i32,
    egress: bool,
    allow: bool,
    ports: Option<(i32, i32)>,
) -> NetworkAclEntry {
    NetworkAclEntry {
        rule_number,
        egress,
        allow,
        protocol: if ports.is_some() { "6" } else { "-1" }.to_owned(),
        cidr: "0.0.0.0/0".to_owned(),
        from_port: ports.map(|(from, _)| from),
        to_port: ports.map(|(_, to)| to),
    }
}

#[test]
fn the_first_acl_rule_that_fits_decides() {
    let open = [entry(100, true, true, None), entry(100, false, true, None)];
    for (entries, blocked) in [
        (open.to_vec(), false),
        (
            [&open[..], &[entry(50, true, false, Some((443, 443)))]].concat(),
            true,
        ),
        (
            [&open[..], &[entry(150, true, false, Some((443, 443)))]].concat(),
            false,
        ),
        (
            [&open[..], &[entry(50, false, false, Some((1024, 65_535)))]].concat(),
            true,
        ),
        (
            [&open[..], &[entry(50, true, false, Some((22, 22)))]].concat(),
            false,
        ),
    ] {
        let acl = NetworkAclSnapshot {
            id: "acl-1".to_owned(),
            subnets: vec![SUBNET_A.to_owned()],
            entries: entries.clone(),
        };
        let denied = [decides(&acl, true, 443), decides(&acl, false, 50_000)]
            .into_iter()
            .flatten()
            .any(|entry| !entry.allow);
        assert_eq!(denied, blocked, "{entries:?}");
    }
}

#[test]
fn a_block_contains_its_addresses() {
    let check = |cidr: &str, address: &str, expected: bool| {
        assert_eq!(
            contains(cidr, address.parse().ok()),
            expected,
            "{cidr} {address}"
        );
    };
    check("10.0.0.0/16", "10.0.255.255", true);
    check("10.0.0.0/16", "10.1.0.0", false);
    check("0.0.0.0/0", "203.0.113.9", true);
    check("10.0.0.7/32", "10.0.0.7", true);
    check("10.0.0.7/32", "10.0.0.8", false);
    check("10.0.0.0/33", "10.0.0.0", false);
    check("nonsense", "10.0.0.0", false);
}
