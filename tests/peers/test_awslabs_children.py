"""awslabs' real server as the child of twenty invocations at once, each with keys of its own."""

import json
import os
import subprocess
import sys

import pytest

from awslabs import ECS_SERVER
from conftest import ROOT, binary, free_of_ambient_credentials

DRIVER = binary().parent / "examples" / "children"
INVOCATIONS = 20
RESOURCES = "ecs_resource_management"


def call(operation, **parameters):
    return [RESOURCES, {"api_operation": operation, "api_params": parameters}]


def trouble(action, **parameters):
    return ["ecs_troubleshooting_tool", {"action": action, "parameters": parameters}]


READS = [
    call("DescribeServices", cluster="prod", services=["api"]),
    call("ListTasks", cluster="prod"),
    trouble("fetch_service_events", ecs_cluster_name="prod", ecs_service_name="api",
            start_time="2026-03-01T00:00:00Z", end_time="2036-03-03T00:00:00Z"),
    trouble("detect_image_pull_failures", ecs_cluster_name="prod", ecs_service_name="api"),
]
WRITES = [
    call("UpdateService", cluster="prod", service="api", desiredCount=0),
    call("DeleteService", cluster="prod", service="api", force=True),
]


def together(invocations, calls, plant=False):
    nowhere = "http://127.0.0.1:9"
    asked = {
        "invocations": invocations, "command": sys.executable, "args": [str(ECS_SERVER)],
        "readable": [sys.prefix, sys.base_prefix], "calls": calls, "plant": plant,
        # With its own word for it that it may write and show everything.
        "environment": [["ALLOW_WRITE", "true"], ["ALLOW_SENSITIVE_DATA", "true"],
                        ["FASTMCP_LOG_LEVEL", "CRITICAL"],
                        ["FASTMCP_SHOW_SERVER_BANNER", "false"],
                        ["HTTPS_PROXY", nowhere], ["NO_PROXY", "127.0.0.1"]],
    }
    if not DRIVER.exists():
        pytest.fail(f"{DRIVER} is not built: cargo build --workspace --all-targets")
    done = subprocess.run([DRIVER], input=json.dumps(asked), cwd=ROOT, text=True,
                          env=free_of_ambient_credentials(), capture_output=True, timeout=480)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_twenty_at_once_sign_as_themselves_hold_no_secret_and_write_nothing():
    answer = together(INVOCATIONS, READS + WRITES)
    ones = answer["invocations"]
    assert len({one["account"] for one in ones}) == INVOCATIONS
    requests = {request["request_id"]: request for request in answer["requests"]}
    keys = {}
    for one in ones:
        *read, update, delete = [json.loads(said["said"]) for said in one["said"]]
        service = read[0]["services"][0]
        assert f":{one['account']}:" in service["serviceArn"], "what it read is its own account's"
        assert read[1]["taskArns"]
        assert read[2]["service_exists"] and read[2]["events"]
        assert len(one["signed"]) >= len(READS)
        for request in (requests[signed] for signed in one["signed"]):
            assert request["account"] == one["account"]
            assert one["invocation"].removeprefix("inv-") in request["session_name"]
            keys.setdefault(request["access_key_id"], set()).add(one["invocation"])
        for write in (update, delete):
            assert "Denied" in json.dumps(write), write
        assert one["refused"] >= len(WRITES)
        assert one["left"] == 0
        assert not os.path.exists(f"/proc/{one['process']}")
    assert len(keys) == INVOCATIONS
    assert all(len(whose) == 1 for whose in keys.values()), keys
    writes = [request["operation"] for request in answer["requests"]
              if request["mutating"] and request["service"] != "sts"]
    assert writes == []
    assert answer["searched"] > INVOCATIONS * (10 << 20)
    assert answer["found"] == []


def test_a_secret_in_a_child_is_found():
    """The positive control of the search."""
    answer = together(2, READS[:1], plant=True)
    planted = answer["invocations"][0]["account"]
    assert answer["found"] == [f"secret of user {planted}"]
