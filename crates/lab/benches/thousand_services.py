"""A thousand services in one world: how many requests a second, how much memory, how fast time runs.

    cargo build --release -p ecs-agent-lab --example serve
    .peers/bin/python crates/lab/benches/thousand_services.py target/release/examples/serve

The client sends the same signed requests again and again over connections that stay open, so that
next to nothing of what is measured is the client's.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SERVICES = 1000
SECONDS = 5
CONNECTIONS = 4
REGION = "us-east-1"
TARGET = "AmazonEC2ContainerServiceV20141113"


def scenario(services):
    """Three kinds of service in turn, one in ten of the first kind with a tag that is not there."""
    kinds = ["fargate-web", "fargate-worker", "ec2-web"]
    lines = ["name: thousand", "title: many services", "request: api is down", "warm_up_minutes: 20",
             "accounts:", '- id: "111122223333"', "  regions:", f"  - name: {REGION}", "    clusters:",
             "    - name: prod", f"      instances: {max(2, services // 6)}", "      services:"]
    lines += [f"      - {{name: s{number}, template: {kinds[number % 3]}}}" for number in range(services)]
    lines.append("events:")
    lines += [f"- {{minutes_ago: 10, change: {{deploy: {{service: prod/s{number}, image_tag: '9.9.9'}}}}}}"
              for number in range(0, services, 30)]
    lines += ["truth:", "  target: {cluster: prod, service: s0}", "  causes: [image-tag-not-found]",
              "  repairable: true"]
    return "\n".join(lines) + "\n"


def memory_mib(pid, field):
    with open(f"/proc/{pid}/status") as status:
        [line] = [line for line in status if line.startswith(field)]
    return int(line.split()[1]) / 1024


def signed(url, keys, operation, body):
    """One request as bytes, complete."""
    request = AWSRequest("POST", url + "/", data=json.dumps(body), headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{TARGET}.{operation}"})
    credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
    SigV4Auth(credentials, "ecs", REGION).add_auth(request)
    host = urlsplit(url).netloc
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return (f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(request.data)}\r\n{headers}\r\n"
            f"{request.data if isinstance(request.data, str) else request.data.decode()}").encode()


def answer_of(stream):
    status = stream.readline()
    assert b" 200 " in status, status
    length = 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)


def rate(url, request):
    """Answers a second over all connections."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    counts = [0] * CONNECTIONS
    end = time.monotonic() + SECONDS

    def ask(index):
        with socket.create_connection((host, port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = connection.makefile("rb")
            while time.monotonic() < end:
                connection.sendall(request)
                answer_of(stream)
                counts[index] += 1

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def measure(program, services):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(scenario(services))
        file.flush()
        begun = time.monotonic()
        process = subprocess.Popen([program, "--scenario", file.name, "--clock", "manual"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(process.stdout.readline())
            built = time.monotonic() - begun
            url, keys = first["url"], first["accounts"][0]["engineer"]
            resident = memory_mib(process.pid, "VmRSS")
            print(f"{services} services: built in {built:.1f} s, {resident:.0f} MiB")
            names = [f"s{number}" for number in range(10)]
            for operation, body in [
                ("ListClusters", {}),
                ("DescribeServices", {"cluster": "prod", "services": names[:1]}),
                ("DescribeServices", {"cluster": "prod", "services": names}),
                ("ListServices", {"cluster": "prod", "maxResults": 100}),
                ("ListTasks", {"cluster": "prod", "serviceName": "s1"}),
            ]:
                asked = rate(url, signed(url, keys, operation, body))
                many = f" of {len(body['services'])}" if "services" in body else ""
                print(f"  {operation}{many}: {asked:.0f} requests/s")
            begun = time.monotonic()
            advance = urllib.request.Request(url + "/lab/clock/advance?seconds=3600", method="POST")
            urllib.request.urlopen(advance).close()
            took = time.monotonic() - begun
            peak = memory_mib(process.pid, "VmHWM")
            print(f"  an hour of its time: {took:.2f} s; most memory {peak:.0f} MiB")
        finally:
            process.terminate()
            process.wait(timeout=10)


if __name__ == "__main__":
    for number in (3, SERVICES):
        measure(sys.argv[1], number)
