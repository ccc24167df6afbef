"""API keys as an operator makes them and as LangGraph's own client uses them."""

import tempfile

import httpx
import pytest
from langgraph_sdk import get_sync_client

from program import NOT_FOUND, OK, USAGE, at, keys_of, lab_of, run
from test_langgraph_sdk import ASK, GRAPH, changes, refusal, server_for

APPROVE = {"resume": {"decisions": [{"type": "approve"}]}}


def create(home, allow="read,diagnose,plan,approve,execute", *more):
    """Makes a key; its id and its secret."""
    made = run("keys", "create", "--name", "test", "--person", "ada", "--allow", allow,
               "--format", "json", *more, home=home)
    assert made.code == OK, made
    return made.json()


@pytest.fixture
def house():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab, \
            server_for(lab, home, "--auth", "keys") as url:
        yield home, lab, url


def test_a_whole_repair_with_keys_of_narrow_use(house):
    home, lab, url = house
    asking = get_sync_client(url=url, api_key=create(home, "read,diagnose,plan")["key"])
    deciding = get_sync_client(url=url, api_key=create(home)["key"])
    thread = asking.threads.create()["thread_id"]
    asked = asking.runs.wait(thread, GRAPH, input=ASK)
    assert asked["__interrupt__"][0]["value"]["kind"] == "approval"
    assert refusal(lambda: asking.runs.wait(thread, GRAPH, command=APPROVE)) == 403
    assert changes(lab) == [], "a key that may not approve changes nothing"
    done = deciding.runs.wait(thread, GRAPH, command=APPROVE)
    assert "report" in done, done
    assert changes(lab) != []
    told = run("audit", "show", "--last", "400", home=home)
    assert "ada" in told.out, "the record names the person of the key"


def test_another_tenant_sees_nothing_and_is_lent_no_credentials(house):
    home, lab, url = house
    ours = get_sync_client(url=url, api_key=create(home)["key"])
    acme = create(home, "read,diagnose,plan,approve,execute", "--tenant", "acme")["key"]
    theirs = get_sync_client(url=url, api_key=acme)
    thread = ours.threads.create()["thread_id"]
    assert theirs.threads.search() == []
    assert refusal(lambda: theirs.threads.get(thread)) == 404
    assert refusal(lambda: theirs.runs.wait(thread, GRAPH, input=ASK)) == 404
    mine = theirs.threads.create()["thread_id"]
    answer = httpx.post(f"{url}/threads/{mine}/runs/wait", headers={"x-api-key": acme},
                        json={"assistant_id": GRAPH, "input": ASK})
    assert answer.status_code == 403
    assert "tenant `acme`" in answer.json()["detail"]
    # The control: the tenant whose credentials these are is served.
    assert ours.runs.wait(thread, GRAPH, input=ASK)["findings"]


def test_a_key_is_shown_once_and_ends_when_told(house):
    home, _, url = house
    made = create(home)
    secret = made.pop("key")
    client = get_sync_client(url=url, api_key=secret)
    assert client.threads.search() == []
    listed = run("keys", "list", "--format", "json", home=home)
    assert [key["id"] for key in listed.json()["keys"]] == [made["id"]]
    assert secret not in listed.out
    rotated = run("keys", "rotate", made["id"], "--overlap", "1h", "--format", "json", home=home)
    assert client.threads.search() == [], "the old key goes on for the overlap"
    newer = rotated.json()
    assert run("keys", "revoke", made["id"], home=home).code == OK
    assert refusal(client.threads.search) == 401
    assert get_sync_client(url=url, api_key=newer["key"]).threads.search() == []
    assert run("keys", "revoke", "0123456789abcdef", home=home).code == NOT_FOUND
    assert run("keys", "create", "--name", "x", "--person", "x", "--allow", "admin",
               home=home).code == USAGE
    assert httpx.get(f"{url}/threads/x").status_code == 401
    assert httpx.get(f"{url}/ok").status_code == 200


def test_other_machines_are_served_with_keys_only():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        account = lab["accounts"][0]
        refused = run("serve", "--address", "0.0.0.0", "--port", "0", *at(lab["url"], account),
                      home=home, **keys_of(account))
        assert refused.code != OK
        assert "--auth keys" in refused.err
