"""Checks raw AWS responses against botocore's service models.

botocore's parsers drop what they do not know. Here every member of a body must be known to the
operation's output shape and have its type, and every required member must be there.
"""

import json
import re
import xml.etree.ElementTree as ElementTree

ISO_8601 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
# Members that a protocol puts beside the output shape.
ENVELOPE = {"ResponseMetadata", "requestId", "RequestId"}


def problems(operation_model, response):
    """What is wrong with one successful response, as a list of sentences."""
    protocol = operation_model.service_model.resolved_protocol
    shape = operation_model.output_shape
    body = response["body"]
    if protocol == "json":
        if shape is None:
            return []
        return list(_json(shape, json.loads(body or b"{}"), operation_model.name))
    if protocol in ("query", "ec2"):
        root = _strip(ElementTree.fromstring(body))
        expected = f"{operation_model.name}Response"
        if root.tag != expected:
            return [f"the root is {root.tag}, not {expected}"]
        if shape is None:
            return []
        wrapper = shape.serialization.get("resultWrapper")
        node = root.find(wrapper) if wrapper else root
        if node is None:
            return [f"{expected} has no {wrapper}"]
        return list(_xml(shape, node, operation_model.name, protocol, top=True))
    return []


def _json(shape, value, path):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{path} is not an object"
            return
        members = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        for name, member in value.items():
            if name not in members:
                yield f"{path}.{name} is not in the model"
            elif member is None:
                yield f"{path}.{name} is null"
            else:
                yield from _json(members[name], member, f"{path}.{name}")
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in value:
                yield f"{path}.{name} is required and missing"
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path} is not a list"
            return
        for index, item in enumerate(value):
            yield from _json(shape.member, item, f"{path}[{index}]")
    elif kind == "map":
        for name, item in value.items():
            yield from _json(shape.value, item, f"{path}.{name}")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path} is not a whole number: {value!r}"
    elif kind in ("float", "double", "timestamp"):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield f"{path} is not a number: {value!r}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path} is not a flag: {value!r}"
    elif not isinstance(value, str):
        yield f"{path} is not a string: {value!r}"
    elif not _in_enum(shape, value):
        yield f"{path} is not one of the model's values: {value!r}"


def _in_enum(shape, value):
    # EC2 writes `available` where its model says `Available`, and documents it for internet
    # gateways, where its model does not list it.
    if shape.name == "AttachmentStatus" and value == "available":
        return True
    return not shape.enum or value.lower() in {known.lower() for known in shape.enum}


def _strip(node):
    for element in node.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return node


def _xml(shape, node, path, protocol, top=False):
    kind = shape.type_name
    text = (node.text or "").strip()
    if kind == "structure":
        members = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        for child in node:
            if child.tag in members:
                yield from _xml(members[child.tag], child, f"{path}.{child.tag}", protocol)
            elif not (top and child.tag in ENVELOPE):
                yield f"{path}.{child.tag} is not in the model"
        present = {child.tag for child in node}
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in present:
                yield f"{path}.{name} is required and missing"
    elif kind == "list":
        default = "item" if protocol == "ec2" else "member"
        name = shape.member.serialization.get("name", default)
        for index, child in enumerate(node):
            if child.tag != name:
                yield f"{path}[{index}] is <{child.tag}>, not <{name}>"
            yield from _xml(shape.member, child, f"{path}[{index}]", protocol)
    elif kind in ("integer", "long"):
        if not re.fullmatch(r"-?\d+", text):
            yield f"{path} is not a whole number: {text!r}"
    elif kind == "boolean":
        if text not in ("true", "false"):
            yield f"{path} is not a flag: {text!r}"
    elif kind == "timestamp":
        if not ISO_8601.match(text):
            yield f"{path} is not a time: {text!r}"
    elif kind == "string" and len(node):
        yield f"{path} has children but is a string"
    elif kind == "string" and not _in_enum(shape, text):
        yield f"{path} is not one of the model's values: {text!r}"
