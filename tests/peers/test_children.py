"""boto3 as a child of an invocation: it reads through the signing endpoint as it would read AWS, and
has no key that AWS knows."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import ROOT, Lab, binary, free_of_ambient_credentials
from program import lab_of

DRIVER = binary().parent / "examples" / "child"


class Child:
    def __init__(self, process):
        self.process = process

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def aws(self, service, operation, /, **arguments):
        asked = {"service": service, "operation": operation, "arguments": arguments}
        answer = self.ask(call="aws", arguments=asked)
        assert "said" in answer, answer
        return json.loads(answer["said"])

    def end(self):
        self.process.stdin.close()
        last = json.loads(self.process.stdout.readline())
        assert self.process.wait(timeout=30) == 0, self.process.stderr.read()
        return last


@contextmanager
def child_of_an_invocation(lab, account=None):
    account = account or lab.account
    server = Path(__file__).with_name("boto3_server.py")
    # The interpreter of this environment, with what it needs to find its packages.
    readable = [server, sys.prefix, sys.base_prefix]
    start = {"endpoint_url": lab.url, "region": account["regions"][0],
             "access_key_id": account["access_key_id"],
             "secret_access_key": account["secret_access_key"],
             "role_arn": account["role_arn"], "external_id": account["external_id"],
             "command": sys.executable, "args": [str(server)],
             "readable": [str(path) for path in readable]}
    process = subprocess.Popen([DRIVER], cwd=ROOT, env=free_of_ambient_credentials(), text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.stdin.write(json.dumps(start) + "\n")
        yield Child(process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def lab():
    """A lab whose time stands still, so that two answers can be compared."""
    with lab_of("demo") as started:
        yield Lab(started["url"])


@pytest.fixture
def child(lab):
    if not DRIVER.exists():
        pytest.fail(f"{DRIVER} is not built: cargo build --workspace --all-targets")
    with child_of_an_invocation(lab) as child:
        yield child


def directly(lab, service, operation, /, **arguments):
    answer = getattr(lab.client(service, lab.assume()), operation)(**arguments)
    answer.pop("ResponseMetadata")
    return json.loads(json.dumps(answer, default=str, sort_keys=True))


READS = [
    ("ecs", "list_clusters", {}),
    ("ecs", "describe_services", {"cluster": "prod", "services": ["billing", "mailer"]}),
    ("ecs", "list_services", {"cluster": "prod"}),
    ("ecs", "describe_task_definition", {"taskDefinition": "prod-billing"}),
    ("ec2", "describe_subnets", {}),
    ("ec2", "describe_security_groups", {}),
    ("elbv2", "describe_target_groups", {}),
    ("iam", "get_role", {"RoleName": "ecs-deep-agent"}),
    ("logs", "describe_log_groups", {}),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"}),
    ("cloudformation", "describe_stacks", {}),
]


def test_reads_pass_unchanged(lab, child):
    for service, operation, arguments in READS:
        through = child.aws(service, operation, **arguments)
        assert "answer" in through, (service, operation, through)
        assert through["answer"] == directly(lab, service, operation, **arguments), (
            service, operation)
    assert child.end()["left"] == 0


WRITES = [
    ("ecs", "update_service", {"cluster": "prod", "service": "billing", "desiredCount": 0}),
    ("ecs", "delete_service", {"cluster": "prod", "service": "billing", "force": True}),
    ("ecs", "run_task", {"taskDefinition": "prod-billing"}),
    ("ecs", "execute_command", {"command": "sh", "interactive": True, "task": "x"}),
    ("ec2", "authorize_security_group_ingress", {"GroupId": "sg-1", "CidrIp": "0.0.0.0/0"}),
    ("iam", "create_access_key", {"UserName": "engineer"}),
    ("elbv2", "delete_target_group", {"TargetGroupArn": "x"}),
    ("logs", "delete_log_group", {"logGroupName": "x"}),
    ("ecr", "get_authorization_token", {}),
    ("secretsmanager", "get_secret_value", {"SecretId": "x"}),
    ("ssm", "get_parameter", {"Name": "x", "WithDecryption": True}),
    ("sts", "get_session_token", {}),
    ("s3", "list_buckets", {}),
    ("lambda", "list_functions", {}),
    ("kms", "decrypt", {"CiphertextBlob": "eA=="}),
]


def test_writes_and_secrets_are_refused_and_the_lab_sees_none(lab, child):
    child.aws("ecs", "list_clusters")
    before = lab.get("/lab/requests")["requests"][-1]["sequence"]
    for service, operation, arguments in WRITES:
        refused = child.aws(service, operation, **arguments)
        code = refused["error"]["Code"]
        assert code in ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"), (
            service, operation, refused)
    after = [one["operation"] for one in lab.get("/lab/requests")["requests"]
             if one["sequence"] > before]
    assert after == []
    assert len(child.ask(process=True)["refused"]) == len(WRITES)


def test_rotation_needs_no_restart_and_the_end_is_the_end(lab, child):
    assert "answer" in child.aws("ecs", "list_clusters")
    process = child.ask(process=True)["process"]
    child.ask(fill=True)
    assert "answer" in child.aws("ecs", "list_clusters")
    assert child.ask(process=True)["process"] == process
    child.ask(clear=True)
    refused = child.aws("ecs", "list_clusters")
    assert "the invocation is over" in refused["error"]["Message"], refused
    calls = child.end()["calls"]
    assert [call["via"] for call in calls] == ["peer", "peer"]
    signed = {one["request_id"]: one for one in lab.get("/lab/requests")["requests"]}
    keys = [signed[call["request_id"]]["access_key_id"] for call in calls]
    assert len(set(keys)) == 2, "the second call is signed with the second key"


def test_another_region_and_another_account_are_refused(lab, child):
    region = lab.region
    arn = f"arn:aws:ecs:{region}:999999999999:cluster/prod"
    refused = child.aws("ecs", "describe_services", cluster=arn, services=["x"])
    assert "works in" in refused["error"]["Message"]
    refused = child.aws("ecr", "describe_images", repositoryName="api", registryId="999999999999")
    assert "works in" in refused["error"]["Message"]


def test_the_child_has_placeholders_and_no_way_around_them(child):
    variables = json.loads(child.ask(call="environment")["said"])
    assert variables["AWS_ACCESS_KEY_ID"].startswith("PLACEHOLDER")
    assert variables["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" not in variables
    assert "AWS_SESSION_TOKEN" not in variables
    level = child.ask(process=True)["level"]
    assert level["user_namespace"] and level["files"] and level["descriptors"], level


def test_a_killed_invocation_takes_its_child_with_it(child):
    child.aws("ecs", "list_clusters")
    process = child.ask(process=True)["process"]
    assert os.path.exists(f"/proc/{process}")
    child.process.kill()
    child.process.wait()
    state = f"/proc/{process}/stat"
    while os.path.exists(state) and Path(state).read_text().rsplit(")", 1)[1].split()[0] != "Z":
        pass
