"""An AWS whose every answer is made from botocore's service models, a canary in each text of it.

A canary is a word that occurs nowhere else. Which canaries come out of the program says which
fields of AWS's answers it lets through, whatever the code says about it. Texts that the program
needs to find its way (names and ARNs that link one answer to the next, states, numbers written as
text) are fixed; they are listed in `LINKS`.
"""

import re
import threading
import urllib.parse
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

ACCOUNT, REGION = "123456789012", "eu-west-1"


def arn(service, resource, account=ACCOUNT):
    return f"arn:aws:{service}:{REGION}:{account}:{resource}"


CLUSTER = arn("ecs", "cluster/shop")
SERVICE = arn("ecs", "service/shop/api")
DEFINITION = arn("ecs", "task-definition/api:3")
TASK = arn("ecs", "task/shop/0123456789abcdef0123456789abcdef")
INSTANCE = arn("ecs", "container-instance/shop/fedcba9876543210fedcba9876543210")
GROUP = arn("elasticloadbalancing", "targetgroup/api/0123456789abcdef")
BALANCER = arn("elasticloadbalancing", "loadbalancer/app/shop/0123456789abcdef")
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/api:3"
NOW = datetime.now(timezone.utc)

# Path of a text (`Operation.member[].member`), as a regular expression, and what stands there.
LINKS = [(re.compile(pattern), value) for pattern, value in [
    (r"GetCallerIdentity\.Account", ACCOUNT),
    (r"GetCallerIdentity\.Arn", f"arn:aws:iam::{ACCOUNT}:user/ada"),
    (r"(.*\.)?clusterArns?(\[\])?", CLUSTER),
    (r"(.*\.)?serviceArns?(\[\])?", SERVICE),
    (r"DescribeServices\..*serviceName", "api"),
    (r"DescribeServices\.services\[\]\.status", "ACTIVE"),
    (r"DescribeServices\.services\[\]\.deployments\[\]\.status", "PRIMARY"),
    (r"(.*\.)?(taskDefinition|taskDefinitionArns?|taskDefinitionArn)(\[\])?", DEFINITION),
    (r"(.*\.)?taskArns?(\[\])?", TASK),
    (r"(.*\.)?containerInstanceArns?(\[\])?", INSTANCE),
    (r"DescribeTasks\..*(lastStatus|desiredStatus)", "STOPPED"),
    (r"DescribeTasks\.tasks\[\]\.containers\[\]\.image", IMAGE),
    (r"DescribeTasks\.tasks\[\]\.containers\[\]\.name", "web"),
    (r"DescribeTasks\.tasks\[\]\.group", "service:api"),
    (r"DescribeTaskDefinition\..*containerDefinitions\[\]\.(name|image)", None),
    (r"DescribeTaskDefinition\.taskDefinition\.(cpu|memory)", "256"),
    (r"DescribeTaskDefinition\..*(executionRoleArn|taskRoleArn)", f"arn:aws:iam::{ACCOUNT}:role/api"),
    (r"GetRole\.Role\.Arn", f"arn:aws:iam::{ACCOUNT}:role/api"),
    (r"(.*\.)?targetGroupArn|.*TargetGroupArns?(\[\])?", GROUP),
    (r".*LoadBalancerArns?(\[\])?", BALANCER),
    (r".*(SubnetIds?|subnets|subnetId)(\[\])?", "subnet-0123456789abcdef0"),
    (r".*(VpcId)", "vpc-0123456789abcdef0"),
    (r".*(groupId|GroupIds?|securityGroups|SecurityGroups)(\[\])?", "sg-0123456789abcdef0"),
    (r".*containerName", "web"),
    (r".*(AssumeRolePolicyDocument|PolicyDocument|policyText)",
     '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
     '"Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}'),
    (r".*logGroupName", "/ecs/api"),
    (r".*containerDefinitions\[\]\.logConfiguration\.logDriver", "awslogs"),
    (r"DescribeScalableTargets\..*ResourceId", "service/shop/api"),
]]
FIXED = {"name": "web", "image": IMAGE}

# Where a map's keys mean something, and which.
KEYS = {"logConfiguration.options": ["awslogs-group", "awslogs-region", "awslogs-stream-prefix",
                                     "awslogs-endpoint", "splunk-token"]}
OPTIONS = {"awslogs-group": "/ecs/api", "awslogs-region": REGION}
PAGING = re.compile(r"(next.*token|marker|nextmarker)$", re.IGNORECASE)


class Canaries:
    """Hands out one canary a path, the same each time."""

    def __init__(self):
        self.by_path = {}
        self.lock = threading.Lock()

    def at(self, path):
        with self.lock:
            return self.by_path.setdefault(path, f"cnry{len(self.by_path):05d}x")

    def found_in(self, text):
        seen = set(re.findall(r"cnry\d{5}x", text.lower()))
        return {path for path, canary in self.by_path.items() if canary in seen}


class Answers:
    """Answers made from output shapes."""

    def __init__(self, canaries):
        self.canaries = canaries

    def of(self, operation):
        shape = operation.output_shape
        return {} if shape is None else self.value(shape, operation.name, 0)

    def value(self, shape, path, depth):
        kind = shape.type_name
        if kind == "structure":
            members = shape.members.items()
            return {name: self.value(member, f"{path}.{name}", depth + 1) for name, member in members
                    if not PAGING.search(name) and depth < 20}
        if kind == "list":
            return [self.value(shape.member, f"{path}[]", depth + 1)]
        if kind == "map":
            keys = next((keys for end, keys in KEYS.items() if path.endswith(end)), None)
            if keys:
                return {key: OPTIONS.get(key) or self.canaries.at(f"{path}.{key}") for key in keys}
            key = self.canaries.at(f"{path}{{key}}")
            return {key: self.value(shape.value, f"{path}{{value}}", depth + 1)}
        if kind == "timestamp":
            return NOW
        if kind == "boolean":
            return path.endswith("essential")
        if kind in ("integer", "long"):
            return int(NOW.timestamp() * 1000) if path.lower().endswith("time") else 1
        if kind in ("float", "double"):
            return 1.0
        if kind == "blob":
            return self.canaries.at(path).encode()
        return self.text(shape, path)

    def text(self, shape, path):
        for pattern, value in LINKS:
            if pattern.fullmatch(path):
                return value if value is not None else FIXED[path.rsplit(".", 1)[1]]
        if shape.metadata.get("enum"):
            return shape.metadata["enum"][0]
        return self.canaries.at(path)


class CanaryAws:
    """Listens on a loopback port and answers every read that the program makes."""

    def __init__(self):
        self.canaries = Canaries()
        self.asked = set()
        self.failed = []
        answers, outer = Answers(self.canaries), self
        names = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "tagging":
                 "resourcegroupstaggingapi"}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers["authorization"])
                service = get_service_model(names.get(scope[1], scope[1]))
                target = self.headers.get("x-amz-target")
                called = urllib.parse.parse_qs(body).get("Action", [""])[0]
                name = target.rsplit(".", 1)[1] if target else called
                try:
                    operation = service.operation_model(name)
                    protocol = service.metadata["protocol"]
                    serializer = get_serializer_class(service.service_name, protocol)(operation)
                    answer = serializer.serialize(answers.of(operation))
                    outer.asked.add(f"{scope[1]}:{name}")
                except Exception as error:  # What cannot be answered is a finding of the test.
                    outer.failed.append(f"{scope[1]}:{name}: {error!r}")
                    answer = {"status_code": 500, "headers": {}, "body": ""}
                content = answer["body"]
                content = content if isinstance(content, bytes) else content.encode()
                self.send_response(answer["status_code"])
                for header, value in answer["headers"].items():
                    self.send_header(header, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
