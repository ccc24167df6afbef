"""Real AWS clients against the lab: boto3 and the AWS CLI, unchanged."""

import json
import subprocess
import sys

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.usefixtures("shapes")


@pytest.fixture
def cluster(clients):
    [arn, *_] = clients("ecs").list_clusters()["clusterArns"]
    return arn


@pytest.fixture
def services(clients, cluster):
    pages = clients("ecs").get_paginator("list_services").paginate(cluster=cluster)
    return [arn for page in pages for arn in page["serviceArns"]]


def refused(call, **arguments):
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_identity(lab, clients):
    identity = clients("sts").get_caller_identity()
    assert identity["Account"] == lab.account["account_id"]
    assert identity["Arn"].endswith(":assumed-role/ecs-deep-agent/peer-test")


def test_the_static_user_may_only_assume_the_role(lab):
    static = lab.static()
    assert lab.client("sts", static).get_caller_identity()["Arn"].split(":")[5].startswith("user/")
    assert refused(lab.client("ecs", static).list_clusters) == "AccessDeniedException"
    assert refused(lab.client("ec2", static).describe_vpcs) == "UnauthorizedOperation"
    assert refused(lab.client("elbv2", static).describe_load_balancers) == "AccessDenied"
    assert refused(
        lab.client("sts", static).assume_role, RoleArn=lab.account["role_arn"],
        RoleSessionName="peer-test", ExternalId="another",
    ) == "AccessDenied"


def test_ecs_reads(clients, cluster, services):
    ecs = clients("ecs")
    [described] = ecs.describe_clusters(
        clusters=[cluster], include=["TAGS", "STATISTICS", "SETTINGS"])["clusters"]
    assert described["activeServicesCount"] == len(services)
    answer = ecs.describe_services(
        cluster=cluster, services=[*services[:9], "no-such-service"], include=["TAGS"])
    assert len(answer["services"]) == len(services[:9])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    for service in answer["services"]:
        definition = ecs.describe_task_definition(
            taskDefinition=service["taskDefinition"], include=["TAGS"])["taskDefinition"]
        assert definition["taskDefinitionArn"] == service["taskDefinition"]
        deployments = ecs.list_service_deployments(
            cluster=cluster, service=service["serviceArn"])["serviceDeployments"]
        if deployments:
            arns = [one["serviceDeploymentArn"] for one in deployments]
            assert ecs.describe_service_deployments(serviceDeploymentArns=arns)["failures"] == []
        ecs.list_tags_for_resource(resourceArn=service["serviceArn"])
        for status in ("RUNNING", "STOPPED"):
            tasks = ecs.list_tasks(
                cluster=cluster, serviceName=service["serviceName"], desiredStatus=status)
            if tasks["taskArns"]:
                described = ecs.describe_tasks(
                    cluster=cluster, tasks=tasks["taskArns"], include=["TAGS"])
                assert len(described["tasks"]) == len(tasks["taskArns"])
    ecs.list_task_definitions(sort="DESC")
    ecs.list_task_definition_families(status="ACTIVE")
    ecs.describe_capacity_providers()
    instances = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    if instances:
        ecs.describe_container_instances(cluster=cluster, containerInstances=instances)


def test_ecs_errors(clients, cluster):
    ecs = clients("ecs")
    assert refused(ecs.list_services, cluster="nowhere") == "ClusterNotFoundException"
    assert refused(ecs.list_tasks, cluster=cluster, serviceName="x") == "ServiceNotFoundException"
    assert refused(ecs.describe_task_definition, taskDefinition="x:1") == "ClientException"
    assert refused(ecs.update_service, cluster=cluster, service="x", desiredCount=1) in (
        "ServiceNotFoundException", "ServiceNotActiveException")
    assert refused(ecs.run_task, taskDefinition="x") == "UnknownOperationException"


def test_load_balancing_reads(clients):
    elb = clients("elbv2")
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            assert elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    groups = elb.describe_target_groups()["TargetGroups"]
    for group in groups:
        arn = group["TargetGroupArn"]
        elb.describe_target_health(TargetGroupArn=arn)
        attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        assert "deregistration_delay.timeout_seconds" in {one["Key"] for one in attributes}
    assert refused(elb.describe_target_groups, Names=["nowhere"]) == "TargetGroupNotFound"


def test_network_reads(clients):
    ec2 = clients("ec2")
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        in_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        assert ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute="enableDnsSupport")
        subnets = ec2.describe_subnets(Filters=in_vpc)["Subnets"]
        assert subnets
        by_subnet = [{"Name": "association.subnet-id", "Values": [subnets[0]["SubnetId"]]}]
        ec2.describe_route_tables(Filters=by_subnet)
        ec2.describe_route_tables(Filters=in_vpc)
        ec2.describe_network_acls(Filters=by_subnet)
        ec2.describe_vpc_endpoints(Filters=in_vpc)
        ec2.describe_nat_gateways(Filter=in_vpc)
        ec2.describe_internet_gateways(
            Filters=[{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}])
        ec2.describe_network_interfaces(Filters=in_vpc)
        groups = ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"]
        for group in groups:
            ec2.describe_security_group_rules(
                Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])
    assert refused(ec2.describe_subnets, SubnetIds=["subnet-0"]) == "InvalidSubnetID.NotFound"
    assert refused(
        ec2.describe_subnets, Filters=[{"Name": "no-such", "Values": ["x"]}]
    ) == "InvalidParameterValue"


def test_log_reads(clients):
    logs = clients("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        streams = logs.describe_log_streams(
            logGroupName=name, orderBy="LastEventTime", descending=True)["logStreams"]
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=name, PaginationConfig={"MaxItems": 30, "PageSize": 7})
        events = [event for page in pages for event in page["events"]]
        assert events == sorted(events, key=lambda event: event["timestamp"])
        if streams:
            logs.get_log_events(
                logGroupName=name, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    assert refused(
        logs.filter_log_events, logGroupName="/nowhere") == "ResourceNotFoundException"


def test_registry_reads(clients):
    ecr = clients("ecr")
    for repository in ecr.describe_repositories()["repositories"]:
        name = repository["repositoryName"]
        ecr.describe_images(repositoryName=name)
        assert refused(
            ecr.describe_images, repositoryName=name, imageIds=[{"imageTag": "no-such-tag"}]
        ) == "ImageNotFoundException"
        assert refused(
            ecr.get_repository_policy, repositoryName=name) == "RepositoryPolicyNotFoundException"
    assert refused(
        ecr.describe_images, repositoryName="nowhere") == "RepositoryNotFoundException"


def test_iam_reads(clients):
    iam = clients("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            assert document["Statement"]
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            found = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]
            iam.get_policy_version(
                PolicyArn=policy["PolicyArn"], VersionId=found["DefaultVersionId"])
        [result] = iam.simulate_principal_policy(
            PolicySourceArn=role["Arn"], ActionNames=["s3:DeleteBucket"])["EvaluationResults"]
        assert result["EvalDecision"] in ("allowed", "implicitDeny", "explicitDeny")
    assert refused(iam.get_role, RoleName="nobody") == "NoSuchEntity"


def test_scaling_stacks_and_parameters(clients):
    scaling = clients("application-autoscaling")
    scaling.describe_scalable_targets(ServiceNamespace="ecs")
    scaling.describe_scaling_policies(ServiceNamespace="ecs")
    scaling.describe_scaling_activities(ServiceNamespace="ecs", IncludeNotScaledActivities=True)
    stacks = clients("cloudformation")
    for stack in stacks.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        for resource in stacks.describe_stack_resources(StackName=name)["StackResources"]:
            stacks.describe_stack_resources(PhysicalResourceId=resource["PhysicalResourceId"])
        stacks.describe_stack_events(StackName=name)
    assert refused(stacks.describe_stacks, StackName="nowhere") == "ValidationError"
    clients("ssm").describe_parameters()
    for secret in clients("secretsmanager").list_secrets()["SecretList"]:
        clients("secretsmanager").describe_secret(SecretId=secret["ARN"])
    assert refused(
        clients("secretsmanager").describe_secret, SecretId="x") == "ResourceNotFoundException"


def test_cloudwatch_speaks_its_own_protocol(clients):
    assert clients("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert refused(
        clients("cloudwatch").put_dashboard, DashboardName="x", DashboardBody="{}"
    ) == "UnknownOperationException"


def test_pages_are_followed(clients):
    pages = clients("ec2").get_paginator("describe_subnets").paginate(
        PaginationConfig={"PageSize": 5})
    subnets = [one["SubnetId"] for page in pages for one in page["Subnets"]]
    assert len(subnets) == len(set(subnets)) > 0
    pages = clients("ecs").get_paginator("list_task_definitions").paginate(
        PaginationConfig={"PageSize": 1})
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    assert len(arns) == len(set(arns)) > 0


def test_a_session_policy_narrows(lab, cluster, services):
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["ecs:Describe*", "ecs:List*"], "Resource": "*"}]}
    ecs = lab.client("ecs", lab.assume(policy=policy))
    assert ecs.describe_services(cluster=cluster, services=services[:1])["services"]
    with pytest.raises(ClientError) as caught:
        ecs.update_service(cluster=cluster, service=services[0], desiredCount=0)
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].endswith(
        "because no session policy allows the ecs:UpdateService action")
    last = lab.get("/lab/requests")["requests"][-1]
    assert last["operation"] == "UpdateService" and last["mutating"]
    assert last["outcome"] == {"kind": "denied", "code": "AccessDeniedException"}


def test_wrong_credentials_are_refused(lab):
    known = lab.account["access_key_id"]
    wrong = boto3.Session(known, "not-the-secret", region_name=lab.region)
    assert refused(lab.client("sts", wrong).get_caller_identity) == "SignatureDoesNotMatch"
    assert refused(lab.client("ecs", wrong).list_clusters) == "InvalidSignatureException"
    unknown = boto3.Session("AKIAUNKNOWN", "secret", region_name=lab.region)
    assert refused(lab.client("sts", unknown).get_caller_identity) == "InvalidClientTokenId"
    assert refused(lab.client("ecs", unknown).list_clusters) == "UnrecognizedClientException"


def test_expired_credentials_are_refused(lab):
    session = lab.assume(session="short-lived")
    key = session.get_credentials().access_key
    assert lab.post(f"/lab/credentials/expire?access_key_id={key}") == {"expired": 1}
    assert refused(lab.client("ecs", session).list_clusters) == "ExpiredTokenException"
    assert refused(lab.client("sts", session).get_caller_identity) == "ExpiredToken"


def test_accounts_do_not_see_each_other(lab, cluster):
    for account in lab.accounts[1:3]:
        ecs = lab.client("ecs", lab.assume(account))
        assert cluster not in ecs.list_clusters()["clusterArns"]
        if cluster.split(":")[3] == account["regions"][0]:
            assert refused(ecs.list_services, cluster=cluster) in (
                "ClusterNotFoundException", "AccessDeniedException")


def test_the_cli_lists_and_describes(lab, session, clean_environment, cluster, services):
    credentials = session.get_credentials()
    environment = clean_environment | {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_DEFAULT_REGION": lab.region,
    }

    def aws(*arguments):
        command = [sys.executable, "-m", "awscli", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert cluster in aws("ecs", "list-clusters")["clusterArns"]
    described = aws("ecs", "describe-services", "--cluster", cluster, "--services", services[0])
    assert described["services"][0]["serviceArn"] == services[0]
    aws("ecs", "list-tasks", "--cluster", cluster)
    assert aws("ec2", "describe-security-groups")["SecurityGroups"]
    for group in aws("elbv2", "describe-target-groups")["TargetGroups"][:1]:
        aws("elbv2", "describe-target-health", "--target-group-arn", group["TargetGroupArn"])
    for group in aws("logs", "describe-log-groups")["logGroups"][:1]:
        aws("logs", "filter-log-events", "--log-group-name", group["logGroupName"],
            "--max-items", "5")
