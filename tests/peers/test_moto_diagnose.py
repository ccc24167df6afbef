"""Another simulator of AWS, which knows less: the diagnosis says what it could not read."""

import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
import pytest

from program import FINDINGS, OK, environment, free_port, run

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret-access-key"}


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """moto_server with a cluster, a task definition and a service that has no running task."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = open(tmp_path_factory.mktemp("moto") / "log", "w")
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                               env=environment(tmp_path_factory.mktemp("home")), stdout=log, stderr=log)
    try:
        wait_until_it_answers(url, process)
        populate(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


def wait_until_it_answers(url, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto_server ended"
        try:
            urllib.request.urlopen(url + "/moto-api/").close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("moto_server does not answer")


def populate(url):
    ecs = boto3.client("ecs", region_name=REGION, endpoint_url=url,
                       aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                       aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"])
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="api", containerDefinitions=[
        {"name": "web", "image": "example.com/api:1", "memory": 256, "essential": True}])
    ecs.create_service(cluster="shop", serviceName="api", taskDefinition="api", desiredCount=2)


def test_the_diagnosis_of_another_simulator_is_truthful(moto):
    result = run("diagnose", "my api service is down", "--region", REGION, "--endpoint-url", moto,
                 "--credentials", "env", "--format", "json", **KEYS)
    assert result.code in (OK, FINDINGS), result
    answer = result.json()
    assert answer["service"]["cluster"].endswith("shop"), answer["service"]
    assert answer["service"]["service"].endswith("api"), answer["service"]
    diagnosis = answer["diagnosis"]
    # moto starts no task and knows no events: what is wrong can not be known from it.
    assert diagnosis["gaps"], "what moto cannot answer must be named"
    assert all(gap["call"] and gap["reason"] for gap in diagnosis["gaps"])
    known = {evidence for finding in diagnosis["findings"] for evidence in
             (citation["evidence"] for citation in finding["evidence"])}
    assert all(finding["evidence"] for finding in diagnosis["findings"]), "a finding without evidence"
    assert not [f for f in diagnosis["findings"] if f["role"] == "root" and f["confidence"] == "high"], \
        f"nothing in moto proves a root cause: {diagnosis['findings']} {known}"
    report = answer["files"]["/diagnostic_report.md"]
    for gap in diagnosis["gaps"]:
        assert gap["call"] in report, f"{gap['call']} is missing from the report"
    assert answer["plan"] is None and answer["context_cleared"] is True
