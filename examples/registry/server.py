#!/usr/bin/env python3
"""A small registry of ECS services, as an MCP server on standard input and output.

    server.py registry.json

It shows what ECS Deep Agent asks a registry for, and serves its tests. The Python standard library
only; the data comes from the file, whose form `registry.example.json` shows. A real one would ask a
deployment platform instead, and check who is asking.
"""

import json
import sys

SERVICE_FIELDS = ["service_id", "name", "organization", "environment", "cluster", "service",
                  "account_id", "region"]


class NotFound(Exception):
    pass


class Registry:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.data = json.load(file)

    def list_aws_ecs_services(self, organization=None, environment=None, name=None):
        """The services of an organisation and environment whose name is among the words of `name`."""
        words = None if name is None else {word.strip(".,;:!?").lower() for word in name.split()}
        return {"services": [
            self._describe(service) for service in self.data["services"]
            if organization in (None, service.get("organization"))
            and environment in (None, service.get("environment"))
            and (words is None or service["name"].lower() in words)]}

    def get_aws_ecs_service(self, service_id):
        """One service."""
        return self._describe(self._service(service_id))

    def get_aws_ecs_service_latest_stack_job(self, service_id):
        """The latest deployment of a service, with the credential that it was made with."""
        jobs = self._service(service_id).get("stack_jobs", [])
        if not jobs:
            raise NotFound(f"service {service_id} was never deployed")
        return max(jobs, key=lambda job: job["updated_at"])

    def list_aws_credentials(self):
        """The credentials, without their keys."""
        shown = ["credential_id", "name", "account_id"]
        return {"credentials": [{field: credential.get(field) for field in shown}
                                for credential in self.data["credentials"]]}

    def get_aws_credential(self, credential_id):
        """One credential with its keys."""
        for credential in self.data["credentials"]:
            if credential["credential_id"] == credential_id:
                return credential
        raise NotFound(f"no credential {credential_id}")

    def _service(self, service_id):
        for service in self.data["services"]:
            if service["service_id"] == service_id:
                return service
        raise NotFound(f"no service {service_id}")

    @staticmethod
    def _describe(service):
        return {field: service.get(field) for field in SERVICE_FIELDS}


TOOLS = {
    "list_aws_ecs_services": ["organization", "environment", "name"],
    "get_aws_ecs_service": ["service_id"],
    "get_aws_ecs_service_latest_stack_job": ["service_id"],
    "list_aws_credentials": [],
    "get_aws_credential": ["credential_id"],
}


def describe(registry, name):
    required = [] if name.startswith("list_") else TOOLS[name]
    return {
        "name": name,
        "description": getattr(registry, name).__doc__,
        "inputSchema": {"type": "object", "required": required,
                        "properties": {field: {"type": "string"} for field in TOOLS[name]}},
        "annotations": {"readOnlyHint": True},
    }


def call(registry, name, arguments):
    try:
        result, failed = getattr(registry, name)(**arguments), False
    except NotFound as error:
        result, failed = {"error": {"code": "not_found", "message": str(error)}}, True
    except (KeyError, TypeError):
        result, failed = {"error": {"code": "invalid", "message": "unusable arguments"}}, True
    answer = {"content": [{"type": "text", "text": json.dumps(result)}], "isError": failed}
    return answer if failed else answer | {"structuredContent": result}


def answer(registry, method, parameters):
    if method == "initialize":
        return {"protocolVersion": parameters["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "example-registry", "version": "1"}}
    if method == "tools/list":
        return {"tools": [describe(registry, name) for name in TOOLS]}
    if method == "tools/call" and parameters.get("name") in TOOLS:
        return call(registry, parameters["name"], parameters.get("arguments") or {})
    if method == "ping":
        return {}
    return None


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: server.py registry.json")
    registry = Registry(sys.argv[1])
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        result = answer(registry, message["method"], message.get("params") or {})
        if result is None:
            reply["error"] = {"code": -32601, "message": "no such method or tool"}
        else:
            reply["result"] = result
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
