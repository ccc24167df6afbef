"""The Model Context Protocol's own Python client drives the tools of `mcp` that read, over stdio."""

import asyncio
import json
import tempfile
import urllib.request

import pytest
from mcp import Client, MCPError, StdioServerParameters

from conftest import binary
from program import at, environment, keys_of, lab_of

OURS = ["identify_service", "diagnose_service", "scan_services", "propose_repair", "execute_repair", "list_threads",
        "get_report", "get_plan"]
# Of awslabs' ecs-mcp-server 0.1.37; the last three are of its older versions.
ARGUMENTS = {
    "ecs_troubleshooting_tool": {"action", "parameters"},
    "ecs_resource_management": {"api_operation", "api_params"},
    "wait_for_service_ready": {"cluster", "service_name", "timeout_seconds"},
    "validate_ecs_express_mode_prerequisites": {"image_uri", "execution_role_arn", "infrastructure_role_arn"},
    "containerize_app": {"app_path", "port"},
    "build_and_push_image_to_ecr": {"app_name", "app_path", "tag"},
    "delete_app": {"service_arn", "app_name"},
    "get_deployment_status": {"app_name", "cluster_name", "stack_name", "service_name"},
    "create_ecs_infrastructure": {
        "app_name", "app_path", "force_deploy", "deployment_step", "vpc_id", "subnet_ids", "route_table_ids",
        "cpu", "memory", "desired_count", "container_port", "health_check_path"},
    "delete_ecs_infrastructure": {"app_name", "ecr_template_path", "ecs_template_path"},
}


def changes(lab):
    with urllib.request.urlopen(lab["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    return [r for r in requests if r["mutating"] and r["outcome"]["kind"] == "allowed"
            and r["service"] != "sts"]


def with_client(work, **options):
    """Runs `work(client, lab)` against a server of its own; `options` are the client's."""
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        account = lab["accounts"][0]
        server = StdioServerParameters(command=str(binary()), cwd=home,
                                       args=["mcp", *at(lab["url"], account)],
                                       env=environment(home, **keys_of(account)))

        async def session():
            async with Client(server, **options) as client:
                await work(client, lab)

        asyncio.run(session())
        return lab


def text_of(result):
    return "\n".join(block.text for block in result.content)


def test_a_service_is_found_diagnosed_and_nothing_is_changed():
    async def work(client, lab):
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {*OURS, *ARGUMENTS}
        for tool in tools:
            if tool.name in ARGUMENTS:
                assert set(tool.input_schema["properties"]) == ARGUMENTS[tool.name], tool.name
        assert [tool.name for tool in tools if not tool.annotations.read_only_hint] == ["execute_repair"]

        found = await client.call_tool("identify_service", {"query": "my api service"})
        assert not found.is_error, text_of(found)
        assert found.structured_content["match"] in ("one", "several")

        done = await client.call_tool("diagnose_service", {"text": "my api service keeps restarting"})
        assert not done.is_error, text_of(done)
        answer = done.structured_content
        assert answer["status"] == "done" and answer["findings"]
        assert answer["report"] in text_of(done)

        listed = await client.call_tool("list_threads", {})
        assert answer["thread"] in [t["thread"] for t in listed.structured_content["threads"]]
        report = await client.call_tool("get_report", {"thread": answer["thread"]})
        assert report.structured_content["report"] == answer["report"]
        plan = await client.call_tool("get_plan", {"thread": answer["thread"]})
        assert plan.structured_content["awaiting_approval"] is False
        assert changes(lab) == []

    with_client(work)


def test_errors_are_the_tools_and_no_tool_approves():
    async def work(client, _lab):
        missing = await client.call_tool("get_report", {"thread": "thread-00000000-0000-0000-0000-000000000001"})
        assert missing.is_error and "list_threads" in text_of(missing)
        bad = await client.call_tool("diagnose_service", {"text": " "})
        assert bad.is_error and "text" in text_of(bad)
        with pytest.raises(MCPError):
            await client.call_tool("approve", {})

    with_client(work)


def test_awslabs_tools_answer_and_what_writes_is_left_to_a_person():
    async def ask(client, tool, **arguments):
        told = await client.call_tool(tool, arguments)
        assert not told.is_error, (tool, arguments, text_of(told))
        assert json.loads(text_of(told)) == told.structured_content
        return told.structured_content

    async def work(client, lab):
        found = await client.call_tool("identify_service", {"query": "my api service"})
        place = found.structured_content["services"][0]
        cluster, service = place["cluster"], place["service"]

        async def trouble(action, **parameters):
            return await ask(client, "ecs_troubleshooting_tool", action=action, parameters=parameters)

        guidance = await trouble("get_ecs_troubleshooting_guidance", ecs_cluster_name=cluster,
                                 ecs_service_name=service)
        assert guidance["status"] == "success" and service in guidance["assessment"]
        events = await trouble("fetch_service_events", ecs_cluster_name=cluster, ecs_service_name=service)
        assert events["service_exists"]
        failures = await trouble("fetch_task_failures", ecs_cluster_name=cluster)
        assert failures["cluster_exists"]
        logs = await trouble("fetch_task_logs", ecs_cluster_name=cluster, filter_pattern="ERROR")
        assert "log_entries" in logs
        images = await trouble("detect_image_pull_failures", ecs_cluster_name=cluster, ecs_service_name=service)
        assert "image_issues" in images
        network = await trouble("fetch_network_configuration", ecs_cluster_name=cluster)
        assert network["data"]["vpc_ids"]
        stack = await trouble("fetch_cloudformation_status", cfn_stack_name="nobody")
        assert stack["stack_exists"] is False

        read = await ask(client, "ecs_resource_management", api_operation="DescribeServices",
                         api_params={"cluster": cluster, "services": [service]})
        assert read["services"][0]["serviceName"] == service
        write = await ask(client, "ecs_resource_management", api_operation="DeleteService",
                          api_params={"cluster": cluster, "service": service})
        assert write["status"] == "for_a_person" and "aws ecs delete-service" in write["commands"][0]["command"]
        assert (await ask(client, "scan_services", cluster=cluster, limit=2))["services"]
        absent = await ask(client, "wait_for_service_ready", cluster=cluster, service_name="nobody")
        assert absent["status"] == "failed"
        roles = await ask(client, "validate_ecs_express_mode_prerequisites", image_uri="nginx:1")
        assert roles["valid"] is False
        assert "tasks" in json.dumps(await ask(client, "get_deployment_status", app_name="shop",
                                               cluster_name=cluster, service_name=service))
        for tool, arguments in {
            "containerize_app": {"app_path": "/srv/shop", "port": 8080},
            "build_and_push_image_to_ecr": {"app_name": "shop", "app_path": "/srv/shop"},
            "delete_app": {"service_arn": "arn:aws:ecs:eu-west-1:111122223333:service/a/b", "app_name": "shop"},
            "create_ecs_infrastructure": {"app_name": "shop", "app_path": "/srv/shop"},
            "delete_ecs_infrastructure": {"app_name": "shop"},
        }.items():
            assert (await ask(client, tool, **arguments))["status"] == "for_a_person"
        assert changes(lab) == []

    with_client(work)


def test_a_ping_is_answered_while_eight_calls_run():
    async def work(client, _lab):
        calls = [asyncio.create_task(client.call_tool("diagnose_service", {"text": "my api service keeps restarting"}))
                 for _ in range(8)]
        await asyncio.sleep(0)
        await client.send_ping()
        assert not all(call.done() for call in calls), "the ping waited for every call"
        for call in calls:
            assert not (await call).is_error

    with_client(work, mode="legacy")


def test_progress_is_told():
    steps = []

    async def heard(progress, total, message):
        steps.append((progress, total, message))

    async def work(client, _lab):
        told = await client.call_tool("scan_services", {"limit": 2}, progress_callback=heard)
        assert not told.is_error, text_of(told)

    with_client(work)
    assert steps and all(total >= progress for progress, total, _ in steps)
