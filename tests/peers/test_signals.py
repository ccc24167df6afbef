"""Signals during a signed call: it ends in order, or leaves nothing; and no secret is an argument."""

import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import contextmanager

import pytest

from conftest import binary
from program import at, environment, keys_of, lab_of, run

CANCELLED = 130
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
ROLE = "arn:aws:iam::123456789012:role/ecs-deep-agent"
SOURCES = {
    "static": ["--credentials", "env"],
    "profile": ["--profile", "ops"],
    "default chain": ["--credentials", "chain"],
    "assumed role": ["--credentials", "env", "--role-arn", ROLE],
}


@contextmanager
def silent_endpoint():
    """Takes requests and never answers; gives its URL and an event that is set by the first."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked, connections = threading.Event(), []

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            if connection.recv(1):
                asked.set()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()
        for connection in connections:
            connection.close()


def with_core_files():
    # A shell starts what runs in its background with these ignored, and children inherit that.
    for ignored in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)


@contextmanager
def in_a_call(source, home):
    """The program, in the middle of a signed call."""
    profiles = os.path.join(home, "credentials")
    with open(profiles, "w") as file:
        for name in ("default", "ops"):
            file.write(f"[{name}]\n" + "".join(f"{k.lower()} = {v}\n" for k, v in KEYS.items()))
    variables = {} if source in ("profile", "default chain") else KEYS
    variables = environment(home, **variables) | {"AWS_SHARED_CREDENTIALS_FILE": profiles}
    with silent_endpoint() as (url, asked):
        command = [str(binary()), "diagnose", "api is down", "--endpoint-url", url,
                   "--region", "eu-west-1", *SOURCES[source]]
        process = subprocess.Popen(command, cwd=home, env=variables, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=with_core_files)
        try:
            assert asked.wait(60), "it made no call"
            yield process
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()


def end(process, insist_on=None):
    """How the process ended: the exit code or the signal, and whether it dumped core."""
    ended, status = 0, 0
    while ended == 0:
        if insist_on is not None:
            # The first SIGSEGV goes to Rust's own handler, which looks for an overflown stack and
            # then steps aside.
            os.kill(process.pid, insist_on)
        ended, status = os.waitpid(process.pid, 0 if insist_on is None else os.WNOHANG)
        if ended == 0:
            threading.Event().wait(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, os.WCOREDUMP(status)


def children(pid):
    listed = subprocess.run(["ps", "--no-headers", "-o", "pid", "--ppid", str(pid)],
                            capture_output=True, text=True)
    return listed.stdout.split()


def audit(home):
    database = sqlite3.connect(f"{home}/.local/share/ecs-deep-agent/threads.sqlite")
    try:
        return [row[0] for row in database.execute("select kind from audit order by seq")]
    finally:
        database.close()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_ends_in_order_when_it_is_asked_to(name, source):
    with tempfile.TemporaryDirectory() as home, in_a_call(source, home) as process:
        assert children(process.pid) == []
        process.send_signal(getattr(signal, name))
        assert end(process) == (CANCELLED, False)
        assert audit(home)[-1] == "invocation_ended"


@pytest.mark.parametrize("source", SOURCES)
def test_after_a_kill_the_thread_is_free_and_nothing_is_left_on_disk(source):
    with tempfile.TemporaryDirectory() as home, in_a_call(source, home) as process:
        process.kill()
        assert end(process) == (-signal.SIGKILL, False)
        thread = json.loads(run("threads", "--format", "json", home=home).out)
        assert thread
        for folder, _, files in os.walk(os.path.join(home, ".local")):
            for file in files:
                with open(os.path.join(folder, file), "rb") as content:
                    assert KEYS["AWS_SECRET_ACCESS_KEY"][:12].encode() not in content.read(), file


def test_a_thread_that_was_killed_in_a_call_is_taken_up_again():
    with tempfile.TemporaryDirectory() as home:
        with in_a_call("static", home) as process:
            process.kill()
            end(process)
        with lab_of("demo") as lab:
            account = lab["accounts"][0]
            listed = json.loads(run("threads", "--format", "json", home=home).out)
            [thread] = listed if isinstance(listed, list) else listed["threads"]
            name = thread.get("thread") or thread["id"]
            again = run("resume", name, "--format", "json", *at(lab["url"], account), home=home,
                        timeout=300, **keys_of(account))
            assert again.json()["context_cleared"] is True, again


@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGQUIT"])
def test_a_crash_leaves_no_core(name):
    number = getattr(signal, name)
    with tempfile.TemporaryDirectory() as home:
        control = subprocess.Popen(["cat"], cwd=home, stdin=subprocess.PIPE,
                                   preexec_fn=with_core_files)
        control.send_signal(number)
        control_ended = end(control)
        control.stdin.close()
        left = set(os.listdir(home))
        # Where this machine writes cores at all, another program leaves one.
        if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
            assert control_ended == (-number, True), "the control left none: nothing is proved"
        with in_a_call("static", home) as process:
            assert end(process, insist_on=number) == (-number, False)
        assert set(os.listdir(home)) - left <= {".local", "credentials"}


def test_no_secret_is_an_argument():
    with tempfile.TemporaryDirectory() as home, in_a_call("static", home) as process:
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            arguments = file.read()
        assert b"diagnose" in arguments
        for value in KEYS.values():
            assert value.encode() not in arguments
        process.kill()
        end(process)
