"""The Model Context Protocol's own Python client drives `mcp`: read-only, over stdio."""

import asyncio
import json
import tempfile
import urllib.request

import pytest
from mcp import Client, MCPError, StdioServerParameters

from conftest import binary
from program import at, environment, keys_of, lab_of

TOOLS = ["find_ecs_service", "diagnose_ecs_service", "list_threads", "get_report", "get_plan"]


def changes(lab):
    with urllib.request.urlopen(lab["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    return [r for r in requests if r["mutating"] and r["outcome"]["kind"] == "allowed"
            and r["service"] != "sts"]


def with_client(work):
    """Runs `work(client, lab)` against a server of its own."""
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        account = lab["accounts"][0]
        server = StdioServerParameters(command=str(binary()), cwd=home,
                                       args=["mcp", *at(lab["url"], account)],
                                       env=environment(home, **keys_of(account)))

        async def session():
            async with Client(server) as client:
                await work(client, lab)

        asyncio.run(session())
        return lab


def text_of(result):
    return "\n".join(block.text for block in result.content)


def test_a_service_is_found_diagnosed_and_nothing_is_changed():
    async def work(client, lab):
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == TOOLS
        assert all(tool.annotations.read_only_hint for tool in tools)

        found = await client.call_tool("find_ecs_service", {"query": "my api service"})
        assert not found.is_error, text_of(found)
        assert found.structured_content["match"] in ("one", "several")

        done = await client.call_tool("diagnose_ecs_service", {"text": "my api service keeps restarting"})
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
        bad = await client.call_tool("diagnose_ecs_service", {"text": " "})
        assert bad.is_error and "text" in text_of(bad)
        with pytest.raises(MCPError):
            await client.call_tool("approve", {})

    with_client(work)
