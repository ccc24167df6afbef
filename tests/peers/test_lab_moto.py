"""The lab's answers beside moto's, field by field.

Both are asked the same by boto3. Every field that one of them gives and the other does not must be
in `moto_differences.txt` with the reason, and every line there must still be needed.
"""

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest

from conftest import started
from program import environment, free_port
from test_moto_diagnose import KEYS, wait_until_it_answers

DIFFERENCES = Path(__file__).with_name("moto_differences.txt")
REGION = "us-east-1"


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """Clients of a moto_server that holds what the lab's scenarios hold, as far as moto can."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = open(tmp_path_factory.mktemp("moto") / "log", "w")
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                               env=environment(tmp_path_factory.mktemp("home")), stdout=log, stderr=log)
    try:
        wait_until_it_answers(url, process)
        session = boto3.Session(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"],
                                region_name=REGION)

        def client(service):
            return session.client(service, endpoint_url=url)

        furnish(client)
        yield client
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


def furnish(client):
    ec2, elb, ecs = client("ec2"), client("elbv2"), client("ecs")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    balancer = elb.create_load_balancer(Name="prod-api", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(Name="prod-api", Protocol="HTTP", Port=8080, VpcId=vpc,
                                    TargetType="ip", HealthCheckPath="/health")["TargetGroups"][0]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"],
                         Targets=[{"Id": "172.31.0.9", "Port": 8080}])
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}])
    iam = client("iam")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role(RoleName="prod-api-execution", AssumeRolePolicyDocument=trust)["Role"]
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName="prod-api-execution", PolicyName="read-secrets", PolicyDocument=policy)
    managed = iam.create_policy(PolicyName="own", PolicyDocument=policy)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="prod-api-execution", PolicyArn=managed)
    client("logs").create_log_group(logGroupName="/ecs/prod/api")
    client("logs").create_log_stream(logGroupName="/ecs/prod/api", logStreamName="ecs/api/1")
    client("logs").put_log_events(logGroupName="/ecs/prod/api", logStreamName="ecs/api/1",
                                  logEvents=[{"timestamp": 1_767_225_600_000, "message": "hello"}])
    client("ecr").create_repository(repositoryName="api")
    client("secretsmanager").create_secret(Name="prod/api/database", SecretString="{}")
    ecs.create_cluster(clusterName="prod")
    ecs.register_task_definition(
        family="prod-api", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
        memory="512", executionRoleArn=role["Arn"], containerDefinitions=[{
            "name": "api", "image": "example.com/api:1", "essential": True,
            "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/prod/api", "awslogs-region": REGION,
                "awslogs-stream-prefix": "ecs"}}}])
    members = [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]]
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": members}}
    ecs.create_service(
        cluster="prod", serviceName="api", taskDefinition="prod-api", desiredCount=1,
        launchType="FARGATE", networkConfiguration=network,
        loadBalancers=[{"targetGroupArn": group["TargetGroupArn"], "containerName": "api",
                        "containerPort": 8080}])


def first(client, service, method, *path, **arguments):
    """Something in the answer to a call, for the next one to name."""
    value = getattr(client(service), method)(**arguments)
    for step in path:
        value = value[step]
    return value


def group_of(client):
    return first(client, "elbv2", "describe_target_groups", "TargetGroups", 0, "TargetGroupArn")


def balancer_of(client):
    return first(client, "elbv2", "describe_load_balancers", "LoadBalancers", 0, "LoadBalancerArn")


# What both are asked: arguments, or a function of the clients that makes them.
CALLS = {
    ("sts", "get_caller_identity"): {},
    ("ecs", "list_clusters"): {},
    ("ecs", "describe_clusters"): {"clusters": ["prod"]},
    ("ecs", "list_services"): {"cluster": "prod"},
    ("ecs", "describe_services"): {"cluster": "prod", "services": ["api"]},
    # Not tasks: moto 5.2 starts none for a service, and its RunTask fails for one with an interface.
    ("ecs", "list_task_definitions"): {},
    ("ecs", "list_task_definition_families"): {},
    ("ecs", "describe_task_definition"): {"taskDefinition": "prod-api"},
    ("elbv2", "describe_load_balancers"): {},
    ("elbv2", "describe_listeners"): lambda c: {"LoadBalancerArn": balancer_of(c)},
    ("elbv2", "describe_target_groups"): {},
    ("elbv2", "describe_target_group_attributes"): lambda c: {"TargetGroupArn": group_of(c)},
    ("elbv2", "describe_target_health"): lambda c: {"TargetGroupArn": group_of(c)},
    ("ec2", "describe_vpcs"): {},
    ("ec2", "describe_subnets"): {},
    ("ec2", "describe_route_tables"): {},
    ("ec2", "describe_security_groups"): {},
    ("ec2", "describe_security_group_rules"): {},
    ("ec2", "describe_network_acls"): {},
    ("ec2", "describe_nat_gateways"): {},
    ("ec2", "describe_internet_gateways"): {},
    ("logs", "describe_log_groups"): {},
    ("logs", "describe_log_streams"): {"logGroupName": "/ecs/prod/api"},
    ("logs", "filter_log_events"): {"logGroupName": "/ecs/prod/api"},
    ("ecr", "describe_repositories"): {},
    ("iam", "get_role"): {"RoleName": "prod-api-execution"},
    ("iam", "list_roles"): {},
    ("iam", "list_role_policies"): {"RoleName": "prod-api-execution"},
    ("iam", "get_role_policy"): {"RoleName": "prod-api-execution", "PolicyName": "read-secrets"},
    ("iam", "list_attached_role_policies"): {"RoleName": "prod-api-execution"},
    ("secretsmanager", "list_secrets"): {},
    ("secretsmanager", "describe_secret"): {"SecretId": "prod/api/database"},
}


def fields(value, path=""):
    """The paths of all members, with what kind of value each has."""
    if isinstance(value, dict):
        for name, member in value.items():
            if path or name != "ResponseMetadata":
                yield from fields(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from fields(item, f"{path}[]")
    else:
        yield f"{path}: {type(value).__name__}"


def asked(client, service, method, arguments):
    if callable(arguments):
        arguments = arguments(client)
    return set(fields(getattr(client(service), method)(**arguments)))


def listed():
    """The differences that are known: whose field, operation and path, and why."""
    known = []
    for number, line in enumerate(DIFFERENCES.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(" | ")]
        assert len(parts) == 3 and parts[0] in ("lab", "moto") and parts[2], f"line {number}: {line}"
        known.append((number, *parts))
    return known


def test_fields_that_only_one_of_lab_and_moto_gives_are_listed_with_the_reason(clean_environment, moto):
    with started(clean_environment) as lab:
        session = lab.assume()
        compare(lambda service: lab.client(service, session), moto)
        assert lab.findings == []


def compare(clients, moto):
    found = []
    for (service, method), arguments in CALLS.items():
        ours = asked(clients, service, method, arguments)
        theirs = asked(moto, service, method, arguments)
        assert ours and theirs, f"{service}.{method} says nothing"
        found += [("lab", f"{service}.{method} {path}") for path in sorted(ours - theirs)]
        found += [("moto", f"{service}.{method} {path}") for path in sorted(theirs - ours)]
    known = listed()
    used = set()
    unknown = []
    for who, what in found:
        numbers = [n for n, whose, pattern, _ in known if whose == who and fits(pattern, what)]
        used.update(numbers)
        if not numbers:
            unknown.append(f"{who} | {what} | ")
    assert not unknown, "not in moto_differences.txt:\n" + "\n".join(unknown)
    idle = [f"line {number}: {pattern}" for number, _, pattern, _ in known if number not in used]
    assert not idle, "no longer needed in moto_differences.txt:\n" + "\n".join(idle)


def fits(pattern, what):
    """`*` stands for anything; brackets are brackets."""
    return fnmatchcase(what.replace("[]", "()"), pattern.replace("[]", "()"))


def test_a_field_too_many_would_be_found():
    ours = set(fields({"services": [{"serviceName": "api", "odd": 1}]}))
    assert ours - set(fields({"services": [{"serviceName": "api"}]})) == {"services[].odd: int"}
    assert set(fields({"count": "1"})) != set(fields({"count": 1}))
