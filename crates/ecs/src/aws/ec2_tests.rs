use super::*;
use crate::aws::AwsErrorKind;

fn items<T>(document: &str, list: &str, item: impl Fn(&Element) -> T) -> Vec<T> {
    Element::parse(document)
        .unwrap()
        .items(list)
        .map(item)
        .collect()
}

#[test]
fn a_security_group_is_read() {
    let groups = items(
        r#"<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <securityGroupInfo><item><ownerId>123456789012</ownerId><groupId>sg-1</groupId>
        <groupName>web</groupName><vpcId>vpc-1</vpcId>
        <ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>81</toPort>
          <groups><item><groupId>sg-2</groupId></item></groups>
          <ipRanges><item><cidrIp>10.0.0.0/8</cidrIp></item></ipRanges>
          <ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges><prefixListIds/></item></ipPermissions>
        <ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp>
          </item></ipRanges></item></ipPermissionsEgress></item></securityGroupInfo>
        </DescribeSecurityGroupsResponse>"#,
        "securityGroupInfo",
        security_group,
    );
    assert_eq!(groups[0].id, "sg-1");
    assert_eq!(
        groups[0].ingress,
        [SecurityRule {
            protocol: "tcp".to_owned(),
            from_port: Some(80),
            to_port: Some(81),
            cidrs: vec!["10.0.0.0/8".to_owned(), "::/0".to_owned()],
            groups: vec!["sg-2".to_owned()],
            prefix_lists: vec![],
        }]
    );
    assert_eq!(groups[0].egress[0].protocol, "-1");
    assert!(groups[0].egress[0].covers_tcp(443));
}

#[test]
fn routes_and_their_table_are_read() {
    let tables = items(
        "<R><routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId>
        <routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>
        <state>active</state></item><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>
        <natGatewayId>nat-1</natGatewayId><state>blackhole</state></item></routeSet>
        <associationSet><item><main>true</main></item><item><subnetId>subnet-1</subnetId><main>false</main>
        </item></associationSet></item></routeTableSet></R>",
        "routeTableSet",
        route_table,
    );
    assert!(tables[0].main);
    assert_eq!(tables[0].subnets, ["subnet-1"]);
    assert_eq!(tables[0].routes[1].target, "nat-1");
    assert_eq!(tables[0].routes[1].state, "blackhole");
}

#[test]
fn endpoints_subnets_gateways_and_acls_are_read() {
    let endpoints = items(
        "<R><vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcId>vpc-1</vpcId>
        <serviceName>com.amazonaws.eu-west-1.ecr.api</serviceName><vpcEndpointType>Interface</vpcEndpointType>
        <state>available</state><privateDnsEnabled>true</privateDnsEnabled><subnetIdSet><item>subnet-1</item>
        </subnetIdSet><routeTableIdSet/><groupSet><item><groupId>sg-9</groupId><groupName>x</groupName></item>
        </groupSet></item></vpcEndpointSet></R>",
        "vpcEndpointSet",
        vpc_endpoint,
    );
    assert!(endpoints[0].private_dns);
    assert_eq!(endpoints[0].subnets, ["subnet-1"]);
    assert_eq!(endpoints[0].security_groups, ["sg-9"]);

    let subnets = items(
        "<R><subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><availabilityZone>eu-west-1a
        </availabilityZone><cidrBlock>10.0.1.0/24</cidrBlock><availableIpAddressCount>3</availableIpAddressCount>
        <mapPublicIpOnLaunch>true</mapPublicIpOnLaunch></item></subnetSet></R>",
        "subnetSet",
        subnet,
    );
    assert_eq!(subnets[0].available_ips, 3);
    assert_eq!(subnets[0].availability_zone, "eu-west-1a");

    let acls = items(
        "<R><networkAclSet><item><networkAclId>acl-1</networkAclId><entrySet><item><ruleNumber>100</ruleNumber>
        <protocol>6</protocol><ruleAction>deny</ruleAction><egress>true</egress><cidrBlock>0.0.0.0/0</cidrBlock>
        <portRange><from>443</from><to>443</to></portRange></item></entrySet><associationSet/></item>
        </networkAclSet></R>",
        "networkAclSet",
        network_acl,
    );
    assert_eq!(
        acls[0].entries,
        [NetworkAclEntry {
            rule_number: 100,
            egress: true,
            allow: false,
            protocol: "6".to_owned(),
            cidr: "0.0.0.0/0".to_owned(),
            from_port: Some(443),
            to_port: Some(443),
        }]
    );
}

#[test]
fn an_error_names_the_action() {
    let cleaner = TextCleaner::new().unwrap();
    let body =
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error>
                </Errors><RequestID>r</RequestID></Response>";
    let error = parse_answer("ec2:DescribeSubnets", 403, body, &cleaner).unwrap_err();
    assert_eq!(
        error.kind(),
        &AwsErrorKind::Denied {
            iam_action: "ec2:DescribeSubnets".to_owned()
        }
    );
    let error = parse_answer("ec2:DescribeSubnets", 501, "not xml", &cleaner).unwrap_err();
    assert_eq!(
        error.kind(),
        &AwsErrorKind::NotSupported {
            code: "HTTP 501".to_owned()
        }
    );
}

#[test]
fn a_rule_becomes_parameters() {
    let rule = SecurityRule {
        protocol: "tcp".to_owned(),
        from_port: Some(443),
        to_port: Some(443),
        cidrs: vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
        groups: vec!["sg-2".to_owned()],
        prefix_lists: vec![],
    };
    let params = rule_params("sg-1", &rule);
    let get = |name: &str| {
        params
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!(get("GroupId"), Some("sg-1"));
    assert_eq!(get("IpPermissions.1.FromPort"), Some("443"));
    assert_eq!(get("IpPermissions.1.IpRanges.1.CidrIp"), Some("0.0.0.0/0"));
    assert_eq!(get("IpPermissions.1.Ipv6Ranges.1.CidrIpv6"), Some("::/0"));
    assert_eq!(get("IpPermissions.1.Groups.1.GroupId"), Some("sg-2"));
}
