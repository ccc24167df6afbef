"""The MCP inspector's command line, from npm, drives our server over standard input and output and over HTTP."""

import json
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import ROOT, binary
from program import at, environment, keys_of, lab_of
from test_langgraph_sdk import changes, server_for

INSPECTOR = ROOT / ".peers/javascript/node_modules/@modelcontextprotocol/inspector/cli/build/cli.js"


@contextmanager
def over_stdio(lab, home):
    account = lab["accounts"][0]
    # In a script, since the inspector would take our flags for its own.
    script = Path(home, "server")
    script.write_text(f"#!/bin/sh\nexec {shlex.join([str(binary()), 'mcp', *at(lab['url'], account)])}\n")
    script.chmod(0o700)
    yield ["--transport", "stdio", str(script)], keys_of(account)


@contextmanager
def over_http(lab, home):
    with server_for(lab, home) as url:
        yield ["--transport", "http", f"{url}/mcp"], {}


@pytest.fixture(params=[over_stdio, over_http], ids=["stdio", "http"])
def inspect(request):
    """Asks one method; gives the inspector's exit code and the answer it printed."""
    node = shutil.which("node")
    assert node and INSPECTOR.exists(), "./test peers installs the inspector; Node.js must be there"
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, request.param(lab, home) as (target, keys):
        def ask(method, *more):
            given = [word for name, value in keys.items() for word in ("-e", f"{name}={value}")]
            command = [node, str(INSPECTOR), "--cli", *given, *target, "--method", method, *more]
            done = subprocess.run(command, cwd=home, env=environment(home, **keys), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr

        yield ask, lab


def answer(asked):
    code, told, errors = asked
    assert code == 0, errors
    return told


def test_the_inspector_lists_calls_and_reads(inspect):
    ask, lab = inspect
    tools = {tool["name"]: tool for tool in answer(ask("tools/list"))["tools"]}
    assert len(tools) == 18 and not tools["execute_repair"]["annotations"]["readOnlyHint"]

    done = answer(ask("tools/call", "--tool-name", "diagnose_service", "--tool-arg",
                      "text=my api service keeps restarting"))
    thread = done["structuredContent"]["thread"]
    assert done["structuredContent"]["status"] == "done" and done["structuredContent"]["findings"]

    proposed = answer(ask("tools/call", "--tool-name", "propose_repair", "--tool-arg",
                          "text=my api service keeps restarting"))["structuredContent"]
    assert proposed["status"] == "waiting"
    # This client has nobody to ask.
    refused = answer(ask("tools/call", "--tool-name", "execute_repair", "--tool-arg", f"thread={proposed['thread']}",
                         f"plan_hash={proposed['waiting']['plan_hash']}"))
    assert refused["isError"] and "elicitation" in refused["content"][0]["text"]

    listed = answer(ask("resources/list"))["resources"]
    report = f"ecs-deep-agent://threads/{thread}/report"
    assert report in {resource["uri"] for resource in listed}
    read = answer(ask("resources/read", "--uri", report))["contents"][0]
    assert read["text"] == done["structuredContent"]["report"]
    assert len(answer(ask("resources/templates/list"))["resourceTemplates"]) == 4
    prompts = answer(ask("prompts/list"))["prompts"]
    assert {prompt["name"] for prompt in prompts} == {"diagnose", "repair", "handover"}
    filled = answer(ask("prompts/get", "--prompt-name", "handover", "--prompt-args", f"thread={thread}"))
    assert thread in filled["messages"][0]["content"]["text"]
    assert changes(lab) == []


def test_the_inspector_is_told_what_is_wrong(inspect):
    ask, _lab = inspect
    code, _, errors = ask("tools/call", "--tool-name", "nonsense")
    assert code != 0 and "nonsense" in errors
    wrong = answer(ask("tools/call", "--tool-name", "diagnose_service", "--tool-arg", "words=api"))
    assert wrong["isError"] and "`text`" in wrong["content"][0]["text"]
