"""An MCP server around boto3, unchanged: what somebody else's server for AWS looks like from inside."""

import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

clients = {}


def client(service):
    if service not in clients:
        clients[service] = boto3.client(service, config=Config(retries={"total_max_attempts": 1}))
    return clients[service]


def aws(service, operation, arguments=None):
    try:
        answer = getattr(client(service), operation)(**(arguments or {}))
    except ClientError as error:
        return {"error": error.response["Error"]}
    except BotoCoreError as error:
        return {"error": {"Code": type(error).__name__, "Message": str(error)}}
    answer.pop("ResponseMetadata")
    return {"answer": answer}


def environment():
    return dict(os.environ)


TOOLS = {"aws": aws, "environment": environment}


def reply(message):
    parameters = message.get("params") or {}
    if message["method"] == "initialize":
        return {"protocolVersion": parameters["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "boto3", "version": boto3.__version__}}
    if message["method"] == "tools/call":
        result = TOOLS[parameters["name"]](**(parameters.get("arguments") or {}))
        text = json.dumps(result, default=str, sort_keys=True)
        return {"content": [{"type": "text", "text": text}], "isError": False}
    return {"tools": []}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": reply(message)}),
              flush=True)
