"""awslabs' real ecs-mcp-server against the lab, and ours beside it through the same client.

Where theirs is wrong, the test shows it: if a later version is right, the test says so.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest
from mcp import Client

from awslabs import ours, said, theirs
from conftest import Lab
from program import lab_of

# The lab's present; both servers would look at the last hour of ours.
WHEN = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-03T00:00:00Z"}
CLUSTER = {"ecs_cluster_name": "prod"}
SERVICE = CLUSTER | {"ecs_service_name": "api"}
ACTIONS = {
    "get_ecs_troubleshooting_guidance": SERVICE,
    "fetch_cloudformation_status": {"cfn_stack_name": "prod-api"},
    "fetch_service_events": SERVICE | WHEN,
    "fetch_task_failures": CLUSTER | WHEN,
    "fetch_task_logs": CLUSTER | WHEN,
    "detect_image_pull_failures": SERVICE,
    "fetch_network_configuration": CLUSTER,
}
READS = {
    "ListClusters": {},
    "DescribeClusters": {"clusters": ["prod"]},
    "ListServices": {"cluster": "prod"},
    "DescribeServices": {"cluster": "prod", "services": ["api"]},
    "ListTasks": {"cluster": "prod"},
    "ListTaskDefinitions": {},
    "DescribeTaskDefinition": {"taskDefinition": "prod-api"},
}
# What theirs has and ours leaves out, and why.
LEFT_OUT = {"ResponseMetadata"}  # HTTP headers of the SDK's answer; our audit has the request ids


def in_both(scenario, work):
    """Runs `work(ask, lab)` with both servers on one lab; `ask` gives their answer and ours."""
    with tempfile.TemporaryDirectory() as home, lab_of(scenario) as lab:

        async def session():
            async with Client(theirs(lab, home)) as first, Client(ours(lab, home)) as second:

                async def ask(tool, arguments):
                    answers = [await one.call_tool(tool, arguments) for one in (first, second)]
                    assert not answers[1].is_error, said(answers[1])
                    return [said(answer) for answer in answers]

                ask.clients = (first, second)
                await work(ask, Lab(lab["url"]))

        asyncio.run(session())


async def trouble(ask, action, parameters):
    return await ask("ecs_troubleshooting_tool", {"action": action, "parameters": parameters})


def test_the_lab_answers_everything_that_it_asks_and_ours_knows_as_much():
    async def work(ask, lab):
        for action, parameters in ACTIONS.items():
            before = lab.get("/lab/requests")["requests"][-1]["sequence"]
            (their, our) = await trouble(ask, action, parameters)
            assert their["status"] == "success", (action, their)
            assert our["status"] == "success", (action, our)
            assert set(their) - set(our) <= LEFT_OUT, (action, set(their) - set(our))
            asked = [one for one in lab.get("/lab/requests")["requests"] if one["sequence"] > before]
            assert asked, action
            wrong = [one for one in asked if one["outcome"]["kind"] != "allowed"]
            assert wrong == [], action
        for operation, parameters in READS.items():
            arguments = {"api_operation": operation, "api_params": parameters}
            (their, our) = await ask("ecs_resource_management", arguments)
            assert "error" not in their, (operation, their)
            for key in set(their) - LEFT_OUT:
                assert key in our, (operation, key)
                if isinstance(their[key], list):
                    assert len(their[key]) == len(our[key]), (operation, key)

    in_both("demo", work)


def test_the_tools_have_the_same_names_and_arguments():
    async def work(ask, _lab):
        told = []
        for client in ask.clients:
            tools = (await client.list_tools()).tools
            told.append({tool.name: (set(tool.input_schema["properties"]),
                                     set(tool.input_schema.get("required", [])))
                         for tool in tools})
        their, our = told
        assert len(their) >= 7
        assert {name: our.get(name) for name in their} == their

    in_both("healthy-steady", work)


def test_they_agree_on_what_happened():
    async def work(ask, _lab):
        their, our = await trouble(ask, "fetch_task_failures", ACTIONS["fetch_task_failures"])
        stopped = [{task["task_id"] for task in answer["failed_tasks"]} for answer in (their, our)]
        # Theirs counts tasks that ECS stopped on purpose as failed; ours has them apart.
        apart = {task["task_id"] for task in our["stopped_on_purpose"]}
        assert stopped[1] | apart >= stopped[0]
        assert stopped[1] & apart == set()
        their, our = await trouble(ask, "fetch_service_events", ACTIONS["fetch_service_events"])
        events = [{event["id"] for event in answer["events"]} for answer in (their, our)]
        assert events[1] >= events[0] != set()
        their, our = await trouble(ask, "fetch_cloudformation_status",
                                   ACTIONS["fetch_cloudformation_status"])
        assert their["stack_status"] == our["stack_status"] == "CREATE_COMPLETE"

    in_both("demo", work)


def test_logs_can_be_filtered_and_asked_for_one_task():
    async def work(ask, _lab):
        logs = ACTIONS["fetch_task_logs"]
        their, our = await trouble(ask, "fetch_task_logs", logs | {"filter_pattern": "catalogue"})
        assert their["status"] == "error" and "filterPattern" in their["error"]
        assert our["log_entries"]
        assert all("catalogue" in entry["message"] for entry in our["log_entries"])
        task = our["log_entries"][0]["stream"].rsplit("/", 1)[1]
        their, our = await trouble(ask, "fetch_task_logs", logs | {"ecs_task_id": task})
        assert their["log_entries"] == [], "awslabs' server finds the logs of one task now"
        assert our["log_entries"]
        assert {entry["stream"].rsplit("/", 1)[1] for entry in our["log_entries"]} == {task}

    in_both("demo", work)


def test_a_stopped_reason_is_read():
    async def work(ask, _lab):
        their, our = await trouble(ask, "fetch_task_failures", ACTIONS["fetch_task_failures"])
        reason = "ResourceInitializationError"
        assert reason not in str(their["failed_tasks"]), "awslabs' server reads stoppedReason now"
        assert reason in str(our["failed_tasks"])

    in_both("secret-not-found", work)


SCENARIO = """
name: three-defects
title: An exit with 137 that is no memory, a log group of another name, an image of another account
request: api is unwell
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - name: prod
      services:
      - {name: api, template: fargate-web}
      - {name: billing, template: fargate-web}
      - {name: mailer, template: fargate-worker, desired: 1}
events:
- minutes_ago: 16
  change:
    push-image:
      repository: api
      tag: "1.5.0"
      app: {startup_seconds: 5, crash: {after_seconds: 25, exit_code: 137, lines: ['shard lost']}}
- {minutes_ago: 16, change: {create-log-group: {log_group: /teams/shop}}}
- {minutes_ago: 15, change: {deploy: {service: prod/api, image_tag: "1.5.0", log_group: /teams/shop}}}
truth:
  target: {cluster: prod, service: api}
  causes: [app-crash-exit-nonzero]
  repairable: true
"""


@pytest.fixture(scope="module")
def three_defects(tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("scenarios")) / "three-defects.yaml"
    path.write_text(SCENARIO)
    return path


def test_137_alone_is_not_memory_and_logs_are_where_the_task_definition_says(three_defects):
    async def work(ask, _lab):
        their, our = await trouble(ask, "fetch_task_failures", ACTIONS["fetch_task_failures"])
        assert their["failure_categories"].get("out_of_memory"), (
            "awslabs' server no longer takes every 137 for memory")
        assert not our["failure_categories"].get("out_of_memory"), our["failure_categories"]
        assert "137" in str(our["failed_tasks"])
        their, our = await trouble(ask, "fetch_task_logs", ACTIONS["fetch_task_logs"])
        assert "shard lost" not in str(their["log_entries"]), (
            "awslabs' server reads log groups of any name now")
        assert "shard lost" in str(our["log_entries"])

    in_both(three_defects, work)


def test_an_image_is_looked_for_in_its_own_account_and_region():
    elsewhere = "999988887777.dkr.ecr.eu-west-1.amazonaws.com/api:1.4.0"

    async def work(ask, lab):
        ecs = lab.client("ecs", lab.assume())
        known = ecs.describe_task_definition(taskDefinition="prod-api")["taskDefinition"]
        container = known["containerDefinitions"][0] | {"image": elsewhere}
        kept = ("family", "cpu", "memory", "networkMode", "requiresCompatibilities",
                "executionRoleArn")
        ecs.register_task_definition(containerDefinitions=[container],
                                     **{key: known[key] for key in kept})
        their, our = await trouble(ask, "detect_image_pull_failures", {"family_prefix": "prod-api"})
        # There is an image of that name and tag, in this account.
        assert elsewhere not in str(their["image_issues"]), (
            "awslabs' server minds an image's account and region now")
        told = [image for image in our["images"] if image["image"] == elsewhere]
        assert told and told[0]["exists"] != "true", our

    in_both("healthy-steady", work)
