"""LangGraph's own Python client drives `serve`: diagnose, see the plan, approve, repaired."""

import json
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import APIStatusError

from conftest import binary
from program import at, environment, keys_of, lab_of

GRAPH = "ecs_deep_agent"
SYSTEM_ASSISTANT = "f3464c70-db03-5ccf-88cb-d9a4eb58b70e"
ASK = {"messages": [{"role": "user", "content": "my api service keeps restarting"}]}


@contextmanager
def server_for(lab, home, *more):
    """`serve` on a free port; its first line of output is JSON with the URL."""
    account = lab["accounts"][0]
    command = [str(binary()), "serve", "--port", "0", "--format", "json", *more,
               *at(lab["url"], account)]
    process = subprocess.Popen(command, cwd=home, env=environment(home, **keys_of(account)), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        assert line, f"serve ended with {process.wait(timeout=10)}"
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        assert process.wait(timeout=30) is not None


@pytest.fixture
def house():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, \
            server_for(lab, home) as url:
        yield lab, get_sync_client(url=url)


def refusal(ask):
    """The status of a request that must fail; the client raises it in two shapes."""
    with pytest.raises((httpx.HTTPStatusError, APIStatusError)) as raised:
        ask()
    return raised.value.response.status_code


def changes(lab):
    with urllib.request.urlopen(lab["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    return [r for r in requests if r["mutating"] and r["outcome"]["kind"] == "allowed"
            and r["service"] != "sts"]


def test_a_whole_repair_with_stream_interrupt_and_resume(house):
    lab, client = house
    [assistant] = client.assistants.search(graph_id=GRAPH)
    assert assistant["assistant_id"] == SYSTEM_ASSISTANT
    assert client.assistants.get(SYSTEM_ASSISTANT)["graph_id"] == GRAPH

    thread = client.threads.create()["thread_id"]
    assert client.threads.get_state(thread)["values"] == {}
    created = []
    parts = list(client.runs.stream(thread, GRAPH, input=ASK, stream_mode=["values", "updates"],
                                    on_run_created=created.append))
    assert parts[0].event == "metadata"
    assert created[0]["run_id"] == parts[0].data["run_id"]
    assert {part.event for part in parts} == {"metadata", "values", "updates"}
    first = next(part for part in parts if part.event == "values")
    assert first.data["messages"][0]["content"] == ASK["messages"][0]["content"]
    last = parts[-1].data
    approval = last["__interrupt__"][0]
    assert approval["value"]["kind"] == "approval"
    assert approval["value"]["action_requests"] and approval["value"]["review_configs"]
    assert last["findings"] and "/diagnostic_report.md" in last["files"]
    assert changes(lab) == [], "nothing changes before a person approved"

    shown = client.threads.get(thread)
    assert shown["status"] == "interrupted"
    state = client.threads.get_state(thread)
    assert state["interrupts"] == [approval] and state["next"]
    [found] = client.threads.search(status="interrupted", metadata={"graph_id": GRAPH})
    assert found["thread_id"] == thread

    perhaps = {"decisions": [{"type": "perhaps"}]}
    assert refusal(lambda: client.runs.wait(thread, GRAPH, command={"resume": perhaps})) == 422
    assert changes(lab) == [], "a slip approves nothing"

    done = client.runs.wait(thread, GRAPH, command={"resume": {"decisions": [{"type": "approve"}]}})
    assert "__interrupt__" not in done
    assert done["verification"]["state"] == "healthy"
    assert "/final_report.md" in done["files"] and done["report"]
    assert changes(lab)
    assert client.threads.get(thread)["status"] == "idle"
    history = client.threads.get_history(thread, limit=5)
    assert len(history) == 5 and history[0]["values"] == done
    assert [run["status"] for run in client.runs.list(thread)] == ["success", "success"]


def test_a_rejected_plan_changes_nothing(house):
    lab, client = house
    thread = client.threads.create()["thread_id"]
    asked = client.runs.wait(thread, GRAPH, input=ASK)
    interrupt = asked["__interrupt__"][0]
    rejected = {"decisions": [{"type": "reject", "message": "not during the sale"}]}
    done = client.runs.wait(thread, GRAPH, command={"resume": {interrupt["id"]: rejected}})
    assert "__interrupt__" not in done
    assert "not during the sale" in json.dumps(done["messages"])
    assert changes(lab) == []


def test_what_is_not_there_is_said_so(house):
    _, client = house
    nowhere = "01a20000-0000-7000-8000-000000000001"
    for ask in [lambda: client.threads.get(nowhere), lambda: client.threads.get_state(nowhere),
                lambda: client.runs.wait(nowhere, GRAPH, input=ASK),
                lambda: client.assistants.get(nowhere)]:
        assert refusal(ask) == 404
