"""boto3's own waiters and paginators, and the AWS CLI's `wait`, against the lab.

The clock is moved by hand, by what a waiter would have slept; nothing here waits for real.
"""

import json
import subprocess
import sys
from types import SimpleNamespace

import boto3
import botocore.waiter
import pytest
from botocore.exceptions import ClientError, WaiterError

from conftest import pass_time, started


@pytest.fixture(scope="module")
def standing(clean_environment):
    """A lab whose time stands still unless it is moved."""
    with started(clean_environment) as lab:
        yield lab


@pytest.fixture
def still(clean_environment, monkeypatch):
    """A lab of the test's own, whose time moves exactly as much as a waiter sleeps."""
    with started(clean_environment) as lab:
        slept = SimpleNamespace(sleep=lambda seconds: pass_time(lab, seconds))
        monkeypatch.setattr(botocore.waiter, "time", slept)
        yield lab
        assert lab.findings == []


@pytest.fixture
def ecs(still):
    return still.client("ecs", still.assume())


def restart(ecs, service):
    ecs.update_service(cluster="prod", service=service, forceNewDeployment=True)


def tasks_of(ecs, service):
    return ecs.list_tasks(cluster="prod", serviceName=service)["taskArns"]


def test_services_stable_returns_after_a_deployment_and_not_before(ecs):
    restart(ecs, "billing")
    ecs.get_waiter("services_stable").wait(cluster="prod", services=["billing"])
    [service] = ecs.describe_services(cluster="prod", services=["billing"])["services"]
    [deployment] = service["deployments"]
    assert deployment["rolloutState"] == "COMPLETED"
    assert service["runningCount"] == service["desiredCount"]


def test_services_stable_gives_up_on_a_service_that_keeps_failing(ecs):
    restart(ecs, "api")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ecs.get_waiter("services_stable").wait(cluster="prod", services=["api"])


def test_tasks_running_and_tasks_stopped_return_when_they_are(ecs):
    old = tasks_of(ecs, "billing")
    restart(ecs, "billing")
    new = [arn for arn in tasks_of(ecs, "billing") if arn not in old]
    assert new
    ecs.get_waiter("tasks_running").wait(cluster="prod", tasks=new)
    states = {task["lastStatus"] for task in ecs.describe_tasks(cluster="prod", tasks=new)["tasks"]}
    assert states == {"RUNNING"}
    ecs.stop_task(cluster="prod", task=new[0], reason="to see it stop")
    ecs.get_waiter("tasks_stopped").wait(cluster="prod", tasks=new[:1])
    [task] = ecs.describe_tasks(cluster="prod", tasks=new[:1])["tasks"]
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "UserInitiated")


def test_tasks_running_fails_at_once_for_a_task_that_stopped(ecs):
    [task, *_] = tasks_of(ecs, "billing")
    ecs.stop_task(cluster="prod", task=task)
    ecs.get_waiter("tasks_stopped").wait(cluster="prod", tasks=[task])
    with pytest.raises(WaiterError, match="STOPPED"):
        ecs.get_waiter("tasks_running").wait(cluster="prod", tasks=[task])


def test_services_inactive_fails_at_once_for_a_service_that_was_never_there(ecs):
    with pytest.raises(WaiterError, match="MISSING"):
        ecs.get_waiter("services_inactive").wait(cluster="prod", services=["nobody"])


def test_the_same_calls_of_two_labs_are_answered_alike(clean_environment):
    """The control is the clock: a second later the answer's date is another."""
    traces = []
    for seconds in (0, 0, 1):
        with started(clean_environment) as lab:
            pass_time(lab, seconds)
            engineer = lab.account["engineer"]
            session = boto3.Session(engineer["access_key_id"], engineer["secret_access_key"],
                                    region_name=lab.region)
            seen = []
            client = lab.client("ecs", session)
            client.meta.events.register("before-parse.*.*", lambda response_dict, **_: seen.append(
                (dict(response_dict["headers"]), response_dict["body"])))
            client.describe_services(cluster="prod", services=["api", "billing"])
            client.list_tasks(cluster="prod")
            traces.append(seen)
    assert len(traces[0]) == 2
    assert traces[0] == traces[1]
    assert traces[0] != traces[2]


# Operations that botocore can page through, with what each has to be told. A value is a function
# of the clients, so that it can name what is there.
PAGED = {
    "ecs": {
        "list_clusters": {}, "list_services": {"cluster": "prod"}, "list_tasks": {"cluster": "prod"},
        "list_task_definitions": {}, "list_task_definition_families": {},
        "list_container_instances": {"cluster": "prod"}, "list_account_settings": {},
    },
    "elbv2": {
        "describe_load_balancers": {}, "describe_target_groups": {},
        "describe_listeners": {"LoadBalancerArn": lambda c: c("elbv2").describe_load_balancers()
                               ["LoadBalancers"][0]["LoadBalancerArn"]},
        "describe_rules": {"ListenerArn": lambda c: c("elbv2").describe_listeners(
            LoadBalancerArn=c("elbv2").describe_load_balancers()["LoadBalancers"][0]
            ["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]},
    },
    "ec2": {name: {} for name in (
        "describe_vpcs", "describe_subnets", "describe_route_tables", "describe_security_groups",
        "describe_security_group_rules", "describe_network_acls", "describe_vpc_endpoints",
        "describe_nat_gateways", "describe_internet_gateways", "describe_network_interfaces")},
    "logs": {
        "describe_log_groups": {}, "describe_log_streams": {"logGroupName": "/ecs/prod/api"},
        "filter_log_events": {"logGroupName": "/ecs/prod/api"},
    },
    "ecr": {
        "describe_repositories": {}, "describe_images": {"repositoryName": "api"},
        "list_images": {"repositoryName": "api"},
    },
    "iam": {
        "list_roles": {}, "list_role_policies": {"RoleName": "prod-api-execution"},
        "list_attached_role_policies": {"RoleName": "prod-api-execution"},
    },
    "application-autoscaling": {name: {"ServiceNamespace": "ecs"} for name in (
        "describe_scalable_targets", "describe_scaling_policies", "describe_scaling_activities")},
    "cloudformation": {"describe_stacks": {}, "list_stacks": {}},
    "secretsmanager": {"list_secrets": {}},
    "ssm": {"describe_parameters": {}},
}
# The fewest that AWS lets a page hold, where that is not one.
SMALLEST = {"ec2": 5}
# AWS decides how much of these a page holds.
UNSIZED = {"describe_stacks", "list_stacks"}


def paged():
    return [(service, operation) for service, operations in PAGED.items() for operation in operations]


@pytest.mark.parametrize(("service", "operation"), paged())
def test_small_pages_hold_the_same_as_one(standing, service, operation):
    session = standing.assume()

    def clients(name):
        return standing.client(name, session)

    arguments = {name: value(clients) if callable(value) else value
                 for name, value in PAGED[service][operation].items()}
    paginator = clients(service).get_paginator(operation)
    key = paginator.result_keys[0].expression

    def everything(**config):
        pages = list(paginator.paginate(**arguments, PaginationConfig=config))
        return [item for page in pages for item in page.get(key, [])], len(pages)

    whole, _ = everything()
    if operation in UNSIZED:
        return
    size = SMALLEST.get(service, 1)
    small, pages = everything(PageSize=size)
    assert small == whole
    assert pages >= len(small) // size
    assert standing.findings == []


def test_every_operation_of_the_lab_that_can_be_paged_is_paged_here(clients):
    """An operation that is new in the lab fails this until it is above."""
    missing = []
    for service, operations in PAGED.items():
        client = clients(service)
        for method in client.meta.method_to_api_mapping:
            reads = method.startswith(("list_", "describe_", "filter_"))
            if not (reads and client.can_paginate(method)) or method in operations:
                continue
            try:
                getattr(client, method)()
            except ClientError as error:
                if error.response["Error"]["Code"] in ("UnknownOperationException", "InvalidAction"):
                    continue
                missing.append(f"{service}.{method}: {error}")
            except Exception:  # It needs arguments: botocore refuses before anything is sent.
                continue
            else:
                missing.append(f"{service}.{method}")
    assert missing == []


def test_the_cli_waits_until_a_restarted_service_is_stable(lab, session, clean_environment):
    credentials = session.get_credentials()
    environment = clean_environment | {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_DEFAULT_REGION": lab.region,
    }

    def aws(*arguments):
        command = [sys.executable, "-m", "awscli", "ecs", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws("update-service", "--cluster", "prod", "--service", "billing", "--force-new-deployment")
    aws("wait", "services-stable", "--cluster", "prod", "--services", "billing")
    described = json.loads(aws("describe-services", "--cluster", "prod", "--services", "billing",
                               "--output", "json"))
    assert [one["rolloutState"] for one in described["services"][0]["deployments"]] == ["COMPLETED"]
