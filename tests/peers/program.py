"""Runs the shipped program as a person or a script does, away from any real account."""

import json
import os
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from conftest import ROOT, binary, free_of_ambient_credentials

# Exit codes, as docs/cli.md has them.
OK, USAGE, FINDINGS, NEEDS_PERSON, CREDENTIALS, UNREACHABLE, NOT_FOUND = 0, 2, 3, 4, 5, 6, 9
KILLED = -9


class Result:
    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    def json(self):
        assert self.out.strip(), f"no output; exit {self.code}; stderr:\n{self.err}"
        return json.loads(self.out)

    def errors(self):
        """The lines that say what went wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def environment(home, **variables):
    return free_of_ambient_credentials() | {"HOME": str(home), "NO_COLOR": "1"} | variables


def run(*arguments, home=None, timeout=120, **variables):
    """Runs the program with a home directory of its own."""
    with tempfile.TemporaryDirectory() as fresh:
        where = home or fresh
        command = [str(binary()), *map(str, arguments)]
        done = subprocess.run(command, cwd=where, env=environment(where, **variables), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        return Result(done)


def keys_of(account):
    """The variables that `--credentials env` reads, for the user that may only assume the role."""
    return {"AWS_ACCESS_KEY_ID": account["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": account["secret_access_key"]}


def at(url, account, region=None):
    """The flags that point the program at an account of a lab."""
    return ["--endpoint-url", url, "--region", region or account["regions"][0],
            "--credentials", "env", "--role-arn", account["role_arn"],
            "--external-id", account["external_id"], "--lab-clock"]


@contextmanager
def lab_of(scenario):
    """A lab in a process of its own, whose time moves only when it is told to."""
    command = [str(binary()), "lab", "--scenario", str(scenario), "--clock", "manual", "--json"]
    process = subprocess.Popen(command, cwd=ROOT, env=free_of_ambient_credentials(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
