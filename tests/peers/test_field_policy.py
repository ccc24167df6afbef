"""Which texts of AWS's answers come out of the program: those on the list, and no other.

Every text of every answer is a canary (`canary_aws.py`). What is found afterwards in standard
output and error, in the database with its write-ahead log, and in the reports is compared with
`field_policy.txt`. A field that a new version of AWS's models adds fails the test as soon as it gets
through, until somebody has put it on the list with a reason.
"""

from pathlib import Path

import pytest

from canary_aws import REGION, CanaryAws
from program import FINDINGS, run

POLICY = Path(__file__).with_name("field_policy.txt")
# AWS's documented example keys.
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
CONTAINER = "DescribeTaskDefinition.taskDefinition.containerDefinitions[]"
LOG_TEXT = {"FilterLogEvents.events[].message", "FilterLogEvents.events[].logStreamName"}

# Fields that hold a tenant's secrets. They are asked for and must not come out.
NEVER = {
    f"{CONTAINER}.environment[].value", f"{CONTAINER}.command[]", f"{CONTAINER}.entryPoint[]",
    f"{CONTAINER}.healthCheck.command[]", f"{CONTAINER}.dockerLabels{{key}}",
    f"{CONTAINER}.dockerLabels{{value}}", f"{CONTAINER}.logConfiguration.options.splunk-token",
    f"{CONTAINER}.logConfiguration.options.awslogs-endpoint",
    f"{CONTAINER}.logConfiguration.secretOptions[].valueFrom",
    f"{CONTAINER}.repositoryCredentials.credentialsParameter",
    f"{CONTAINER}.systemControls[].value", f"{CONTAINER}.environmentFiles[].value",
    f"{CONTAINER}.extraHosts[].hostname", f"{CONTAINER}.dockerSecurityOptions[]",
    "DescribeTaskDefinition.tags[].value",
    "DescribeTasks.tasks[].overrides.containerOverrides[].command[]",
    "DescribeTasks.tasks[].overrides.containerOverrides[].environment[].value",
    "DescribeTasks.tasks[].tags[].value",
}


def listed():
    """The paths of the policy, in the order of the file, without its comments."""
    lines = POLICY.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Diagnosis:
    """One diagnosis against the canaries, and everything that it left behind."""

    def __init__(self, home, *flags):
        with CanaryAws() as aws:
            result = run("diagnose", "api in cluster shop is down", "--endpoint-url", aws.url,
                         "--region", REGION, "--credentials", "env", "--cluster", "shop",
                         "--service", "api", "--data-dir", home, "--format", "json", "-v", *flags,
                         home=home, **KEYS)
            assert result.code == FINDINGS, result
            assert aws.failed == []
            files = [path for path in Path(home).rglob("*") if path.is_file()]
            assert any(path.name.startswith("threads.sqlite") for path in files)
            text = result.out + result.err
            text += "".join(path.read_bytes().decode("utf-8", "replace") for path in files)
            self.asked = aws.asked
            self.sent = set(aws.canaries.by_path)
            self.out = aws.canaries.found_in(text)
            self.text = text


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    return Diagnosis(tmp_path_factory.mktemp("with-logs"))


def test_what_comes_out_is_what_the_policy_lists(diagnosis):
    allowed = set(listed())
    assert sorted(diagnosis.out - allowed) == [], "gets through and is not on the list"
    assert sorted(allowed - diagnosis.out) == [], "is on the list and does not get through"


def test_what_holds_a_tenant_s_secrets_never_comes_out(diagnosis):
    assert sorted(NEVER - diagnosis.sent) == [], "no canary was sent there, so nothing is shown"
    assert sorted(NEVER & diagnosis.out) == []
    assert NEVER.isdisjoint(listed())


def test_enough_is_asked_for_the_list_to_mean_something(diagnosis):
    assert len(diagnosis.sent) > 500
    assert {"ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks",
            "logs:FilterLogEvents", "elasticloadbalancing:DescribeTargetHealth", "iam:GetRole",
            "ec2:DescribeSecurityGroups", "ecr:DescribeImages"} <= diagnosis.asked


def test_the_search_finds_what_comes_out(diagnosis):
    """The positive control: a listed field is in the output word for word."""
    message = "DescribeServices.services[].events[].message"
    assert message in listed() and message in diagnosis.out


def test_without_leave_for_sensitive_data_no_log_text_comes_out(diagnosis, tmp_path):
    assert LOG_TEXT <= diagnosis.out, "the setting is on unless it is turned off"
    without = Diagnosis(tmp_path, "--allow-sensitive-data=false")
    assert "logs:FilterLogEvents" not in without.asked
    assert sorted(diagnosis.out - without.out - LOG_TEXT) == []
    assert LOG_TEXT.isdisjoint(without.out)


def test_the_policy_is_sorted_in_each_group_and_says_why():
    groups = POLICY.read_text().strip().split("\n\n")
    for group in groups[1:]:
        reason, *paths = group.splitlines()
        assert reason.startswith("# ") and len(reason) > 10, group
        assert paths == sorted(paths), f"not sorted: {reason}"
    assert len(listed()) == len(set(listed()))
