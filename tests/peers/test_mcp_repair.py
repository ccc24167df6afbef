"""A repair over MCP: the protocol's own Python client is asked, says no, says yes. Over standard input and
output in both generations of the protocol, and over HTTP."""

import asyncio
import json
import tempfile
import urllib.request
from contextlib import asynccontextmanager, contextmanager

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from conftest import binary
from program import at, environment, keys_of, lab_of, run
from test_langgraph_sdk import changes, server_for

WORDS = "my api service keeps restarting"
YES = ElicitResult(action="accept", content={"decision": "approve"})
NO = ElicitResult(action="accept", content={"decision": "reject", "reason": "not during the sale"})
DECLINED = ElicitResult(action="decline")
CLOSED = ElicitResult(action="cancel")


class Person:
    """Answers what they are asked, in this order, and keeps the questions."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def __call__(self, _context, question):
        self.asked.append(question)
        return self.answers.pop(0)


def passing_time(lab):
    """The lab's clock, moved while the agent watches a service."""
    async def move():
        while True:
            await asyncio.to_thread(advance, lab, 15)
            await asyncio.sleep(0.1)
    return move()


def advance(lab, seconds):
    request = urllib.request.Request(f"{lab['url']}/lab/clock/advance?seconds={seconds}", method="POST")
    urllib.request.urlopen(request).close()


def stdio(lab, home, *more):
    account = lab["accounts"][0]
    return StdioServerParameters(command=str(binary()), cwd=home, args=["mcp", *more, *at(lab["url"], account)],
                                 env=environment(home, **keys_of(account)))


async def proposed(client):
    told = await client.call_tool("propose_repair", {"text": WORDS})
    assert not told.is_error, told.content
    answer = told.structured_content
    assert answer["status"] == "waiting" and answer["findings"], answer
    return {"thread": answer["thread"], "plan_hash": answer["waiting"]["plan_hash"]}, answer["waiting"]["rendered"]


async def a_whole_repair(client, lab, person):
    plan, rendered = await proposed(client)
    waiting = await client.call_tool("get_plan", {"thread": plan["thread"]})
    assert waiting.structured_content["awaiting_approval"]
    assert changes(lab) == []

    closed = await client.call_tool("execute_repair", plan)
    assert closed.structured_content["status"] == "unanswered", closed
    assert changes(lab) == []
    steps = []

    async def heard(_progress, _total, message):
        steps.append(message)

    time = asyncio.create_task(passing_time(lab))
    done = await client.call_tool("execute_repair", plan, progress_callback=heard)
    time.cancel()
    assert not done.is_error, done.content
    answer = done.structured_content
    assert answer["status"] == "done" and answer["summary"].startswith("repaired"), answer
    assert answer["report"] and answer["execution"]
    assert all(rendered.strip().splitlines()[0] in question.message for question in person.asked)
    assert all(plan["plan_hash"] in question.message for question in person.asked)
    assert "fix-executor" in steps and "verification-specialist" in steps, steps
    assert changes(lab)

    # Once is once: neither the same call nor the same answer does it again.
    before = len(changes(lab))
    again = await client.call_tool("execute_repair", plan)
    assert again.is_error and "no plan waits" in again.content[0].text
    assert len(changes(lab)) == before and len(person.asked) == 2


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_repair_over_standard_input_and_output(mode):
    async def session(lab, home):
        person = Person(CLOSED, YES)
        async with Client(stdio(lab, home), mode=mode, elicitation_callback=person) as client:
            await a_whole_repair(client, lab, person)

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        asyncio.run(session(lab, home))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_no_is_kept_with_the_plan_and_changes_nothing(mode):
    async def session(lab, home, answer):
        person = Person(answer)
        async with Client(stdio(lab, home), mode=mode, elicitation_callback=person) as client:
            plan, _ = await proposed(client)
            told = await client.call_tool("execute_repair", plan)
            assert told.structured_content["status"] == "rejected", told
            document = await client.call_tool("get_plan", {"thread": plan["thread"]})
            assert not document.structured_content["awaiting_approval"]
            again = await client.call_tool("execute_repair", plan)
            assert again.is_error

    for answer in (NO, DECLINED):
        with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
            asyncio.run(session(lab, home, answer))
            assert changes(lab) == []


def test_a_client_that_cannot_ask_is_refused_and_no_argument_approves():
    async def session(lab, home):
        async with Client(stdio(lab, home)) as client:
            plan, _ = await proposed(client)
            refused = await client.call_tool("execute_repair", plan)
            assert refused.is_error and "elicitation" in refused.content[0].text
            for more in ({"approve": True}, {"decision": "approve"}, {"decisions": [{"type": "approve"}]}):
                refused = await client.call_tool("execute_repair", plan | more)
                assert refused.is_error, more
        # One who says yes to everything approves the plan that waits, and no other.
        person = Person(YES)
        async with Client(stdio(lab, home), elicitation_callback=person) as client:
            other = await client.call_tool("execute_repair", plan | {"plan_hash": "0" * 64})
            assert other.is_error and "another plan" in other.content[0].text
            assert person.asked == []

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        asyncio.run(session(lab, home))
        assert changes(lab) == []


def test_where_writing_is_switched_off_nobody_is_asked():
    async def session(lab, home):
        person = Person(YES)
        async with Client(stdio(lab, home, "--allow-write=false"), elicitation_callback=person) as client:
            told = (await client.call_tool("propose_repair", {"text": WORDS})).structured_content
            assert told["status"] == "no_plan" and told["document"], told
            refused = await client.call_tool("execute_repair", {"thread": told["thread"], "plan_hash": "0" * 64})
            assert refused.is_error and person.asked == []

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        asyncio.run(session(lab, home))
        assert changes(lab) == []


def test_reports_evidence_and_failure_modes_are_resources_and_prompts_are_offered():
    async def session(lab, home):
        async with Client(stdio(lab, home)) as client:
            done = await client.call_tool("diagnose_service", {"text": WORDS})
            answer = done.structured_content
            listed = {resource.uri for resource in (await client.list_resources()).resources}
            report = f"ecs-deep-agent://threads/{answer['thread']}/report"
            assert {str(uri) for uri in listed} == {"ecs-deep-agent://failure-modes", report}
            assert len((await client.list_resource_templates()).resource_templates) == 4

            async def read(uri):
                return (await client.read_resource(uri)).contents[0].text

            assert await read(report) == answer["report"]
            evidence = json.loads(await read(report.replace("/report", "/evidence")))
            known = {f"E{item['id']}" for item in evidence["evidence"]}
            assert evidence["findings"] == answer["findings"] and known
            assert all(item["call"] and item["request_id"] for item in evidence["evidence"])
            index = await read("ecs-deep-agent://failure-modes")
            assert "`oom-kill-137`" in index
            page = await read("ecs-deep-agent://failure-modes/oom-kill-137")
            assert page.startswith("# ") and "## Repair" in page
            for wrong in ("ecs-deep-agent://failure-modes/nonsense", "file:///etc/passwd",
                          report.replace("/report", "/plan")):
                with pytest.raises(MCPError):
                    await client.read_resource(wrong)

            prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
            assert prompts == {"diagnose", "repair", "handover"}
            filled = await client.get_prompt("diagnose", {"problem": WORDS})
            assert WORDS in filled.messages[0].content.text
            with pytest.raises(MCPError):
                await client.get_prompt("diagnose", {})

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        asyncio.run(session(lab, home))
        assert changes(lab) == []


@asynccontextmanager
async def http_client(url, key=None, **options):
    headers = {"x-api-key": key} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300)) as http:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http), **options) as client:
            yield client


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_repair_over_http(mode):
    async def session(lab, url):
        person = Person(CLOSED, YES)
        async with http_client(url, mode=mode, elicitation_callback=person) as client:
            await a_whole_repair(client, lab, person)

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, server_for(lab, home) as url:
        asyncio.run(session(lab, url))


@contextmanager
def house_with_keys(lab):
    """A server that asks for keys, and how to make one."""
    with tempfile.TemporaryDirectory() as home, server_for(lab, home, "--auth", "keys") as url:
        def key(allow, tenant="local"):
            made = run("keys", "create", "--name", "test", "--person", "ada", "--allow", allow, "--tenant", tenant,
                       "--format", "json", home=home)
            assert made.code == 0, made
            return made.json()["key"]

        yield url, key


def test_over_http_a_key_decides_and_a_session_is_its_callers_own():
    async def session(lab, url, key):
        async with httpx2.AsyncClient() as http:
            for headers in ({}, {"x-api-key": "nonsense"}):
                refused = await http.post(f"{url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
                assert refused.status_code == 401

        reader = key("read,diagnose")
        planner = key("read,diagnose,plan")
        everything = key("read,diagnose,plan,approve,execute")
        stranger = key("read,diagnose,plan,approve,execute", tenant="acme")
        async with http_client(url, reader) as client:
            told = await client.call_tool("propose_repair", {"text": WORDS})
            assert told.is_error and "`plan`" in told.content[0].text
        person = Person(YES)
        async with http_client(url, planner, elicitation_callback=person) as client:
            plan, _ = await proposed(client)
            told = await client.call_tool("execute_repair", plan)
            assert told.is_error and "`approve`" in told.content[0].text and person.asked == []
        async with http_client(url, stranger, elicitation_callback=person) as client:
            foreign = await client.call_tool("execute_repair", plan)
            absent = await client.call_tool("execute_repair", plan | {
                "thread": "thread-00000000-0000-0000-0000-000000000001"})
            assert foreign.is_error and foreign.content[0].text == absent.content[0].text and person.asked == []
            assert (await client.call_tool("list_threads", {})).structured_content["threads"] == []
            lent = await client.call_tool("diagnose_service", {"text": WORDS})
            assert lent.is_error and "no AWS credentials" in lent.content[0].text
        assert changes(lab) == []

        # A session's id opens it for its own caller only.
        begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}}
        ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        accept = {"accept": "application/json, text/event-stream"}
        async with httpx2.AsyncClient(headers=accept) as http:
            begun = await http.post(f"{url}/mcp", json=begin, headers={"x-api-key": planner})
            session_id = {"mcp-session-id": begun.headers["mcp-session-id"]}
            began = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await http.post(f"{url}/mcp", json=began, headers=session_id | {"x-api-key": planner})
            own = await http.post(f"{url}/mcp", json=ask, headers=session_id | {"x-api-key": planner})
            assert own.status_code == 200 and "propose_repair" in own.text
            absent = {"mcp-session-id": "00000000-0000-0000-0000-000000000000"}
            for other in (reader, everything, stranger):
                for method, body in (("POST", ask), ("DELETE", None)):
                    tried = [await http.request(method, f"{url}/mcp", json=body, headers=named | {"x-api-key": other})
                             for named in (session_id, absent)]
                    assert tried[0].status_code == tried[1].status_code and tried[0].text == tried[1].text
                    assert method == "DELETE" or tried[0].status_code == 404
            own = await http.post(f"{url}/mcp", json=ask, headers=session_id | {"x-api-key": planner})
            assert own.status_code == 200, "nobody else ended it"

        async with http_client(url, everything, elicitation_callback=person) as client:
            time = asyncio.create_task(passing_time(lab))
            done = await client.call_tool("execute_repair", plan)
            time.cancel()
            assert done.structured_content["status"] == "done", done
            assert len(person.asked) == 1

    with lab_of("demo") as lab, house_with_keys(lab) as (url, key):
        asyncio.run(session(lab, url, key))


def test_a_web_page_of_another_site_reaches_no_tool():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, server_for(lab, home) as url:
        for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
            refused = httpx2.post(f"{url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
            assert refused.status_code == 403, headers


def test_a_repair_that_is_cancelled_stops_between_two_steps():
    async def session(lab, home):
        person = Person(YES)
        async with Client(stdio(lab, home), mode="legacy", elicitation_callback=person) as client:
            plan, _ = await proposed(client)
            verifying = asyncio.Event()

            async def heard(_progress, _total, message):
                if message == "verification-specialist":
                    verifying.set()

            call = asyncio.create_task(client.call_tool("execute_repair", plan, progress_callback=heard))
            await asyncio.wait_for(verifying.wait(), 60)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # The server goes on, and the thread says where it stands.
            for _ in range(100):
                listed = (await client.call_tool("list_threads", {})).structured_content["threads"]
                [thread] = [thread for thread in listed if thread["thread"] == plan["thread"]]
                if thread["status"] != "running":
                    break
                await asyncio.sleep(0.1)
            assert thread["status"] != "running", thread

    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        asyncio.run(session(lab, home))
        # What was carried out is whole.
        assert changes(lab)
