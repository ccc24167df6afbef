"""Our MCP server beside awslabs' `ecs-mcp-server`, through the same client code, on one lab, in one run.

    cargo build --release
    .peers/bin/python crates/mcp/benches/beside_awslabs.py target/release/ecs-deep-agent

The client writes and reads lines of JSON itself, so that next to nothing of what is measured is its own.
The lab adds a delay to every answer where round trips in sequence are counted: a call that takes `n`
delays longer has `n` of them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/peers"))
os.environ["BINARY"] = str(Path(sys.argv[1]).resolve())

from awslabs import ours, theirs  # noqa: E402
from conftest import binary, free_of_ambient_credentials  # noqa: E402

STARTS, CALLS, BURST = 5, 9, 8
DELAY = 0.1
GUIDANCE = {"name": "ecs_troubleshooting_tool", "arguments": {
    "action": "get_ecs_troubleshooting_guidance",
    "parameters": {"ecs_cluster_name": "prod", "ecs_service_name": "api"}}}


class Server:
    """A server on its standard input and output."""

    def __init__(self, parameters):
        begun = time.perf_counter()
        self.process = subprocess.Popen([parameters.command, *parameters.args], cwd=parameters.cwd, env=parameters.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.answers, self.came, self.number = {}, threading.Condition(), 0
        threading.Thread(target=self.read, daemon=True).start()
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                "clientInfo": {"name": "bench", "version": "0"}})
        self.to_initialize = time.perf_counter() - begun
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.came:
                self.answers[message.get("id")] = (time.perf_counter(), message)
                self.came.notify_all()

    def write(self, message):
        self.process.stdin.write((json.dumps(message) + "\n").encode())
        self.process.stdin.flush()

    def send(self, method, params):
        self.number += 1
        self.write({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number, time.perf_counter()

    def wait(self, sent):
        number, at = sent
        with self.came:
            assert self.came.wait_for(lambda: number in self.answers, timeout=120), "no answer"
            came, message = self.answers.pop(number)
        assert "result" in message and not message["result"].get("isError"), message
        return came - at

    def ask(self, method, params):
        return self.wait(self.send(method, params))

    def memory_mib(self, field="VmRSS"):
        """Resident (`RssAnon`: what no file backs, so that processes do not share it), with its children."""
        total, todo = 0, [self.process.pid]
        while todo:
            pid = todo.pop()
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(field)]
            total += int(line.split()[1])
        return total / 1024

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def lab(delay):
    command = [str(binary()), "lab", "--scenario", "demo", "--clock", "manual", "--json",
               "--latency", str(int(delay * 1000))]
    process = subprocess.Popen(command, env=free_of_ambient_credentials(), text=True, stdout=subprocess.PIPE)
    return process, json.loads(process.stdout.readline())


def measured(parameters):
    """Milliseconds and MiB of one server on a lab without delay."""
    starts = []
    for _ in range(STARTS):
        server = Server(parameters)
        starts.append(server.to_initialize)
        idle, own = server.memory_mib(), server.memory_mib("RssAnon")
        server.end()
    server = Server(parameters)
    server.ask("tools/call", GUIDANCE)
    calls = [server.ask("tools/call", GUIDANCE) for _ in range(CALLS)]
    burst = [server.send("tools/call", GUIDANCE) for _ in range(BURST)]
    pings = []
    while not all(number in server.answers for number, _ in burst):
        pings.append(server.ask("ping", {}))
        time.sleep(0.002)
    [server.wait(sent) for sent in burst]
    memory = server.memory_mib()
    server.end()
    return {"start to initialize, ms": statistics.median(starts) * 1000, "memory after it, MiB": idle,
            "  of it not backed by a file, MiB": own,
            "memory after calls, MiB": memory, "guidance, ms": statistics.median(calls) * 1000,
            "ping during a burst of 8, median ms": statistics.median(pings) * 1000,
            "ping during a burst of 8, longest ms": max(pings) * 1000}


def guidance(parameters):
    server = Server(parameters)
    server.ask("tools/call", GUIDANCE)
    took = statistics.median(server.ask("tools/call", GUIDANCE) for _ in range(3))
    server.end()
    return took


def main():
    rows = {}
    with tempfile.TemporaryDirectory() as home:
        process, house = lab(0)
        plain = {}
        for name, make in (("ours", ours), ("theirs", theirs)):
            rows[name] = measured(make(house, home))
            plain[name] = guidance(make(house, home))
        process.terminate()
        process, house = lab(DELAY)
        for name, make in (("ours", ours), ("theirs", theirs)):
            slow = guidance(make(house, home))
            rows[name]["guidance, round trips in sequence"] = (slow - plain[name]) / DELAY
        process.terminate()
    print(f"{'':40}{'ours':>12}{'awslabs':>12}{'ratio':>10}")
    for what in rows["ours"]:
        our, their = rows["ours"][what], rows["theirs"][what]
        print(f"{what:40}{our:12.1f}{their:12.1f}{our / their:10.3f}")


main()
