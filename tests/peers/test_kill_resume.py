"""kill -9 at each logged step, then `resume`: the run ends the same and no write is done twice."""

import json
import sqlite3
import tempfile
import urllib.request
from collections import Counter

from program import KILLED, OK, at, keys_of, lab_of, run

WORDS = "my api service keeps restarting"
SPEED = 20


def writes(lab):
    """What was changed, by call and target."""
    with urllib.request.urlopen(lab["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    return Counter((r["service"], r["operation"], *r["resources"]) for r in requests
                   if r["mutating"] and r["outcome"]["kind"] == "allowed")


def healthy(lab):
    """The lab's own word, once the tasks that failed before the repair are some minutes past."""
    advance = urllib.request.Request(lab["url"] + "/lab/clock/advance?seconds=300", method="POST")
    urllib.request.urlopen(advance).close()
    with urllib.request.urlopen(lab["url"] + "/lab/health") as answer:
        return json.load(answer)


def repair(lab, home, *more, command=("run", WORDS)):
    account = lab["accounts"][0]
    return run(*command, "--yes", "--format", "json", "--world-speed", SPEED, *at(lab["url"], account), *more,
               home=home, timeout=300, **keys_of(account))


def events_of(home):
    """How many events the one thread has."""
    database = sqlite3.connect(f"{home}/.local/share/ecs-deep-agent/threads.sqlite")
    try:
        return database.execute("select count(*) from events").fetchone()[0]
    finally:
        database.close()


def calls_only(counter):
    return Counter({key[:2]: count for key, count in counter.items()})


def test_a_run_that_is_killed_anywhere_ends_as_if_it_had_not_been():
    with tempfile.TemporaryDirectory() as home, lab_of("demo", SPEED) as lab:
        assert repair(lab, home).code == OK
        expected, last = calls_only(writes(lab)), events_of(home)
    assert expected and last > 10
    for event in range(1, last + 1):
        with tempfile.TemporaryDirectory() as home, lab_of("demo", SPEED) as lab:
            killed = repair(lab, home, "--kill-after-event", event)
            assert killed.code == KILLED, f"event {event}: {killed}"
            resumed = repair(lab, home, command=("resume", "last"))
            assert resumed.code == OK, f"event {event}: {resumed}"
            answer = resumed.json()
            assert answer["verification"]["state"] == "healthy", f"event {event}"
            assert answer["context_cleared"] is True, f"event {event}"
            assert "/final_report.md" in answer["files"], f"event {event}"
            assert calls_only(writes(lab)) == expected, f"event {event}: {writes(lab)}"
            health = healthy(lab)
            assert health["healthy"] and health["bystanders_untouched"], f"event {event}: {health}"
