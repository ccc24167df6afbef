"""kill -9 at each logged step, then `resume`: the run ends the same and no write is done twice."""

import json
import os
import sqlite3
import tempfile
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from program import KILLED, OK, at, keys_of, lab_of, run

WORDS = "my api service keeps restarting"


def writes(lab):
    """What was changed, by call and kind of target: names that are generated differ by run."""
    with urllib.request.urlopen(lab["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    return Counter((r["service"], r["operation"]) for r in requests
                   if r["mutating"] and r["outcome"]["kind"] == "allowed")


def healthy(lab):
    """The lab's own word, once the tasks that failed before the repair are some minutes past."""
    advance = urllib.request.Request(lab["url"] + "/lab/clock/advance?seconds=300", method="POST")
    urllib.request.urlopen(advance).close()
    with urllib.request.urlopen(lab["url"] + "/lab/health") as answer:
        return json.load(answer)


def repair(lab, home, *more, command=("run", WORDS)):
    account = lab["accounts"][0]
    return run(*command, "--yes", "--format", "json", *at(lab["url"], account), *more,
               home=home, timeout=300, **keys_of(account))


def events_of(home):
    """The one thread's events, in order."""
    database = sqlite3.connect(f"{home}/.local/share/ecs-deep-agent/threads.sqlite")
    try:
        return [json.loads(row[0]) for row in database.execute("select event from events order by seq")]
    finally:
        database.close()


def ends_of_writes(events):
    """The numbers of the events that tell how an operation on AWS ended."""
    writing = {call["id"] for event in events if event["type"] == "model_replied"
               for call in event["tool_calls"] if call["name"] == "execute_operation"}
    return [number for number, event in enumerate(events, start=1)
            if event["type"] == "tool_returned" and event["call_id"] in writing]


def what_matters(answer):
    """The end of a run, without what differs from run to run."""
    return {
        "exit": answer["exit_code"],
        "verdict": answer["diagnosis"]["verdict"],
        "causes": [finding["mode"] for finding in answer["diagnosis"]["findings"]],
        "steps": [step["operation"]["kind"] for step in answer["plan"]["steps"]],
        "done": [step["step"] for step in answer["execution"]
                 if step["status"]["status"] in ("applied", "already_applied")],
        "verified": answer["verification"]["state"],
        "rolled_back": answer["rollback"],
        "files": sorted(answer["files"]),
        "cleared": answer["context_cleared"],
    }


def killed_and_resumed(moment, event):
    """One drill; what it came to."""
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        killed = repair(lab, home, f"--kill-{moment}-event", event)
        if killed.code != KILLED:
            return f"not killed: {killed}"
        resumed = repair(lab, home, command=("resume", "last"))
        if resumed.code != OK:
            return f"not resumed: {resumed}"
        health = healthy(lab)
        return (what_matters(resumed.json()), writes(lab), health["healthy"],
                health["bystanders_untouched"])


@pytest.fixture(scope="module")
def unkilled():
    with tempfile.TemporaryDirectory() as home, lab_of("demo") as lab:
        done = repair(lab, home)
        assert done.code == OK, done
        health = healthy(lab)
        came_to = (what_matters(done.json()), writes(lab), health["healthy"],
                   health["bystanders_untouched"])
        return came_to, events_of(home)


def drill(moment, events, expected):
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as workers:
        came_to = list(workers.map(lambda event: killed_and_resumed(moment, event), events))
    wrong = {event: end for event, end in zip(events, came_to) if end != expected}
    assert not wrong, f"kill -9 {moment} event: {wrong}"


def test_a_run_that_is_killed_after_any_event_ends_as_if_it_had_not_been(unkilled):
    expected, events = unkilled
    _, changed, well, nothing_else = expected
    assert changed and set(changed.values()) == {1} and well and nothing_else, expected
    assert len(events) > 10
    drill("after", range(1, len(events) + 1), expected)


def test_what_was_done_and_not_yet_logged_is_not_done_again(unkilled):
    """The worst moment: AWS has been changed and no event tells so."""
    expected, events = unkilled
    ends = ends_of_writes(events)
    assert ends, [event["type"] for event in events]
    drill("before", ends, expected)
