"""The program keeps its threads in a PostgreSQL database that the configuration names."""

import tempfile
from pathlib import Path

import postgresql
from langgraph_sdk import get_sync_client
from program import NEEDS_PERSON, OK, USAGE, at, keys_of, lab_of, run
from test_langgraph_sdk import GRAPH, changes, server_for


def configured(home, text):
    path = Path(home) / "agent.toml"
    path.write_text(text)
    return ["--config", str(path)]


def test_a_terminal_and_a_server_share_the_threads_of_a_database():
    with tempfile.TemporaryDirectory() as home, postgresql.server() as url, lab_of("demo") as lab:
        (Path(home) / "url").write_text(url + "\n")
        named = configured(home, f'[database]\nurl_file = "{home}/url"\n')
        account = lab["accounts"][0]
        asked = run("run", "my api service keeps restarting", *named, *at(lab["url"], account),
                    "--format", "json", home=home, **keys_of(account))
        assert asked.code == NEEDS_PERSON, asked
        assert changes(lab) == []
        with server_for(lab, home, *named) as server:
            client = get_sync_client(url=server)
            [thread] = client.threads.search(status="interrupted")
            done = client.runs.wait(thread["thread_id"], GRAPH,
                                    command={"resume": {"decisions": [{"type": "approve"}]}})
        assert done["verification"]["state"] == "healthy"
        assert changes(lab) != []
        listed = run("threads", *named, "--format", "json", home=home)
        assert listed.code == OK and thread["thread_id"] in listed.out, listed
        chain = run("audit", "verify", *named, home=home)
        assert chain.code == OK, chain
        shown = run("config", "show", *named, home=home)
        assert "PostgreSQL" in shown.out, shown
        for said in [asked, listed, chain, shown]:
            assert postgresql.PASSWORD not in said.out + said.err
        assert not list(Path(home).rglob("threads.sqlite")), "no second database is made"


def test_a_database_that_cannot_be_reached_is_named_without_its_password():
    with tempfile.TemporaryDirectory() as home:
        named = configured(home, '[database]\nurl_variable = "AGENT_DATABASE_URL"\n')
        missing = run("threads", *named, home=home)
        assert missing.code == USAGE and "`AGENT_DATABASE_URL` is not set" in missing.err, missing
        url = f"postgres://ada:{postgresql.PASSWORD}@{home.replace('/', '%2F')}/agent"
        away = run("threads", *named, home=home, AGENT_DATABASE_URL=url)
        assert away.code == USAGE and "failed to connect" in away.err, away
        assert postgresql.PASSWORD not in away.err + away.out
        wrong = run("threads", *named, home=home, AGENT_DATABASE_URL="mysql://somewhere/agent")
        assert wrong.code == USAGE and "postgres://" in wrong.err, wrong
