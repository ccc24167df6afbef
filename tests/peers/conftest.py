"""Starts the lab as a person does, and gives the tests boto3 clients that talk to it.

The binary is `BINARY`, or the workspace's debug build. `LAB_URL` names a lab that runs
already.
"""

import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import lab_shapes

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = os.environ.get("LAB_SCENARIO", "demo")


def binary():
    path = os.environ.get("BINARY")
    return Path(path) if path else ROOT / "target" / "debug" / "ecs-deep-agent"


class Lab:
    """A running lab: its URL, its accounts, and its own routes."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.accounts = self.get("/lab/accounts")["accounts"]
        self.findings = []

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def post(self, path):
        request = urllib.request.Request(self.url + path, method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @property
    def account(self):
        return self.accounts[0]

    @property
    def region(self):
        return self.account["regions"][0]

    def static(self, account=None):
        """The access keys of the account's user that may only assume the role."""
        account = account or self.account
        return boto3.Session(
            aws_access_key_id=account["access_key_id"],
            aws_secret_access_key=account["secret_access_key"],
            region_name=account["regions"][0],
        )

    def assume(self, account=None, policy=None, session="peer-test", **more):
        """Credentials of the agent's role."""
        account = account or self.account
        if policy is not None:
            more["Policy"] = json.dumps(policy)
        issued = self.client("sts", self.static(account)).assume_role(
            RoleArn=account["role_arn"],
            RoleSessionName=session,
            ExternalId=account["external_id"],
            **more,
        )["Credentials"]
        return boto3.Session(
            aws_access_key_id=issued["AccessKeyId"],
            aws_secret_access_key=issued["SecretAccessKey"],
            aws_session_token=issued["SessionToken"],
            region_name=account["regions"][0],
        )

    def client(self, service, session):
        client = session.client(
            service,
            endpoint_url=self.url,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=True),
        )
        client.meta.events.register("before-parse.*.*", self._check)
        return client

    def _check(self, response_dict, operation_model, **_):
        if response_dict["status_code"] < 300:
            found = lab_shapes.problems(operation_model, response_dict)
            self.findings += [f"{operation_model.service_model.service_name}: {f}" for f in found]


@contextmanager
def started(environment, scenario=SCENARIO):
    """A lab of the caller's own, whose time stands still unless it is moved."""
    command = [binary(), "lab", "--scenario", scenario, "--port", "0", "--clock", "manual",
               "--format", "json"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True,
                               stdout=subprocess.PIPE)
    try:
        yield Lab(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(timeout=10)


def pass_time(lab, seconds):
    lab.post(f"/lab/clock/advance?seconds={int(seconds)}")


def free_of_ambient_credentials():
    """The tests never see a real account, whatever the environment holds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                   "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@pytest.fixture(scope="session")
def clean_environment():
    return free_of_ambient_credentials()


@pytest.fixture(scope="session")
def lab(clean_environment):
    if os.environ.get("LAB_URL"):
        yield Lab(os.environ["LAB_URL"])
        return
    if not binary().exists():
        pytest.fail(f"{binary()} is not built")
    command = [binary(), "lab", "--scenario", SCENARIO, "--port", "0", "--speed", "600",
               "--format", "json"]
    process = subprocess.Popen(command, cwd=ROOT, env=clean_environment, text=True,
                               stdout=subprocess.PIPE)
    try:
        yield Lab(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def shapes(lab):
    """Fails the test if any response in it did not fit botocore's model."""
    lab.findings.clear()
    yield
    assert lab.findings == []


@pytest.fixture(scope="session")
def session(lab):
    return lab.assume()


@pytest.fixture(scope="session")
def clients(lab, session):
    made = {}

    def client(service):
        if service not in made:
            made[service] = lab.client(service, session)
        return made[service]

    return client
