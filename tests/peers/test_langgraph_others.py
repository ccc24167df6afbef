"""LangGraph's other clients drive `serve` through a whole repair: `RemoteGraph`, and the JavaScript SDK."""

import json
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from contextlib import contextmanager

import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_sync_client

from conftest import ROOT, free_of_ambient_credentials
from program import lab_of
from test_langgraph_sdk import ASK, GRAPH, SYSTEM_ASSISTANT, changes, server_for

APPROVE = {"decisions": [{"type": "approve"}]}
MODULES = ROOT / ".peers/javascript"


@contextmanager
def moving(lab):
    """Lets the lab's time pass while an agent watches a service."""
    over = threading.Event()

    def move():
        while not over.wait(0.1):
            request = urllib.request.Request(f"{lab['url']}/lab/clock/advance?seconds=15", method="POST")
            urllib.request.urlopen(request).close()

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def house():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, server_for(lab, home) as url:
        yield lab, url


def test_remote_graph_carries_a_repair_through(house):
    lab, url = house
    graph = RemoteGraph(GRAPH, url=url)
    drawn = graph.get_graph()
    assert set(drawn.nodes) == {"__start__", "model", "tools", "__end__"} and len(drawn.edges) == 4

    thread = get_sync_client(url=url).threads.create()["thread_id"]
    config = {"configurable": {"thread_id": thread}}
    asked = graph.invoke(ASK, config)
    assert asked["findings"] and asked["__interrupt__"]
    state = graph.get_state(config)
    [interrupt] = state.interrupts
    assert interrupt.value["kind"] == "approval" and interrupt.value["plan_hash"]
    assert state.next and changes(lab) == []

    with moving(lab):
        modes = {part.event for part in graph.stream(Command(resume=APPROVE), config, stream_mode=["values", "updates"])}
    assert modes == {"values", "updates"}
    state = graph.get_state(config)
    assert state.next == () and state.values["messages"][-1]["content"].startswith("repaired")
    assert changes(lab)

    history = list(graph.get_state_history(config, limit=100))
    assert len(history) > 10 and history[0].config == state.config
    # Each state is found again by its checkpoint.
    older = history[len(history) // 2]
    assert graph.get_state(older.config).values == older.values
    foreign = {"configurable": older.config["configurable"] | {"checkpoint_ns": "tools:1"}}
    with pytest.raises(Exception, match="Checkpoint not found"):
        graph.get_state(foreign)


def test_the_javascript_client_carries_a_repair_through(house):
    lab, url = house
    node = shutil.which("node")
    assert node and (MODULES / "node_modules").exists(), "./test peers installs the client; Node.js must be there"
    script = ROOT / "tests/peers/javascript/repair.mjs"
    with moving(lab):
        done = subprocess.run([node, str(script), str(MODULES), url], env=free_of_ambient_credentials(), text=True,
                              capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["assistant"] == SYSTEM_ASSISTANT
    assert seen["nodes"] == ["__start__", "model", "tools", "__end__"]
    assert "input_schema" in seen["schemas"] and "state_schema" in seen["schemas"]
    assert set(seen["asked"]) == set(seen["resumed"]) == {"metadata", "values", "updates"}
    assert seen["interrupt"] == "approval" and seen["hash"] and seen["same"]
    assert seen["report"] and seen["verification"] and seen["last"].startswith("repaired")
    assert seen["status"] == "idle" and seen["states"] > 10
    assert changes(lab)
