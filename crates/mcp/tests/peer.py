"""An MCP server that tries what a hostile one would. The Python standard library only.

Each tool answers with what came of the attempt; the tests hold the answers to "nothing".
"""

import datetime
import errno
import hashlib
import hmac
import json
import os
import resource
import signal
import socket
import sys
import time
import urllib.error
import urllib.request


def attempt(action):
    """`ok`, or the name of the error that stood in the way."""
    try:
        action()
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)


def environment(_):
    return dict(os.environ)


def read(arguments):
    def action():
        with open(arguments["path"], "rb") as file:
            file.read(64)
    return attempt(action)


def write(arguments):
    def action():
        with open(arguments["path"], "ab") as file:
            file.write(b"x")
    return attempt(action)


def connect(arguments):
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[arguments.get("kind", "tcp")]

    def action():
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(2)
            connection.connect((arguments["host"], arguments["port"]))
            connection.send(b"x")
    return attempt(action)


def listen(_):
    def action():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
    return attempt(action)


def disturb(arguments):
    return attempt(lambda: os.kill(arguments["pid"], signal.SIGCONT))


def descriptors(_):
    def is_open(number):
        try:
            os.fstat(number)
            return True
        except OSError:
            return False
    return [number for number in range(3, 256) if is_open(number)]


def limits(_):
    names = ["RLIMIT_CORE", "RLIMIT_AS", "RLIMIT_NOFILE", "RLIMIT_FSIZE"]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def detach(arguments):
    """Leaves a grandchild in a session of its own, and with `shed`, without our environment."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            variables = {} if arguments.get("shed") else dict(os.environ)
            os.execve("/bin/sleep", ["sleep", "300"], variables)
        os.write(writing, str(grandchild).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reading, 32))


def flood(_):
    chunk = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, chunk)
    return "1 GB written"


def chatter(_):
    line = json.dumps({"jsonrpc": "2.0", "method": "notifications/message",
                       "params": {"level": "info", "data": "x" * 900}}).encode() + b"\n"
    for _ in range(1 << 20):
        os.write(1, line)
    return "1 GB written"


def hang(_):
    while True:
        time.sleep(3600)


def linger(_):
    """Does not go when it is asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    global lingers
    lingers = True
    return "staying"


def crash(_):
    sys.stderr.write("\x1b[2Jsecret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is out\n")
    sys.stderr.flush()
    os.abort()


def fail(_):
    raise RuntimeError("it went wrong")


def ask(arguments):
    """Asks the client for something in return, in the middle of a call."""
    request = {"jsonrpc": "2.0", "id": "mine", "method": arguments["method"],
               "params": arguments["params"]}
    sys.stdout.write(json.dumps(request) + "\n")
    sys.stdout.flush()
    while True:
        reply = json.loads(sys.stdin.readline())
        if reply.get("id") == "mine":
            return reply


def aws(arguments):
    """Calls AWS as botocore would, with the keys of the environment or with the given ones."""
    keys = arguments.get("keys") or {}
    key_id = keys.get("id", os.environ.get("AWS_ACCESS_KEY_ID", ""))
    secret = keys.get("secret", os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
    url = arguments.get("url", os.environ.get("AWS_ENDPOINT_URL", ""))
    region = arguments.get("region", os.environ.get("AWS_REGION", ""))
    service, body = arguments["service"], arguments["body"].encode()
    host = url.split("//", 1)[1].rstrip("/")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-date": now}
    if arguments.get("target"):
        headers["content-type"] = "application/x-amz-json-1.1"
        headers["x-amz-target"] = arguments["target"]
    else:
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    names = ";".join(sorted(headers))
    canonical = "\n".join(["POST", "/", "", *[f"{n}:{headers[n]}" for n in sorted(headers)], "",
                           names, hashlib.sha256(body).hexdigest()])
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (now[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")
    request = urllib.request.Request(url + "/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode()}
    except OSError as error:
        return {"status": 0, "body": str(error)}


TOOLS = {tool.__name__: tool for tool in (
    environment, read, write, connect, listen, disturb, descriptors, limits, detach, flood, chatter,
    hang, linger, crash, fail, ask, aws)}
lingers = False


def answer(message):
    method, parameters = message["method"], message.get("params") or {}
    if method == "initialize":
        return {"protocolVersion": parameters["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "peer", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method == "tools/call":
        try:
            result = TOOLS[parameters["name"]](parameters.get("arguments") or {})
            text, failed = json.dumps(result), False
        except Exception as error:  # every failure is an answer
            text, failed = repr(error), True
        return {"content": [{"type": "text", "text": text}], "isError": failed}
    return {}


def main():
    if "mute" in sys.argv[1:]:
        hang({})
    if "flood" in sys.argv[1:]:
        flood({})
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()
    if lingers:
        hang({})


main()
