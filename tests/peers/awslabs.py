"""Starts awslabs' MCP servers from PyPI as their users do, and our own server beside them."""

import json
import os
import sys
from pathlib import Path

from mcp import StdioServerParameters

from conftest import Lab, binary
from program import at, environment, keys_of

ECS_SERVER = Path(sys.executable).with_name("ecs-mcp-server")


def theirs(lab, home, session=None):
    """The parameters of their ECS server with credentials of the lab's role."""
    here = Lab(lab["url"])
    keys = (session or here.assume()).get_credentials().get_frozen_credentials()
    # It looks for AWS's public documentation server when it starts; a proxy that is not there keeps
    # that on this machine.
    nowhere = "http://127.0.0.1:9"
    return StdioServerParameters(command=str(ECS_SERVER), args=[], cwd=home, env={
        "PATH": os.environ["PATH"], "HOME": str(home), "AWS_REGION": here.region,
        "AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token, "AWS_ENDPOINT_URL": lab["url"],
        "AWS_EC2_METADATA_DISABLED": "true", "ALLOW_SENSITIVE_DATA": "true",
        "FASTMCP_LOG_LEVEL": "CRITICAL", "FASTMCP_SHOW_SERVER_BANNER": "false",
        "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "127.0.0.1"})


def ours(lab, home):
    account = lab["accounts"][0]
    return StdioServerParameters(
        command=str(binary()), args=["mcp", "--allow-sensitive-data", *at(lab["url"], account)],
        cwd=home, env=environment(home, **keys_of(account)))


def said(result):
    """What a tool said as JSON, or its text where it is none."""
    text = "\n".join(block.text for block in result.content)
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}
