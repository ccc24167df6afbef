"""Wrong input gets one clear error or question, the documented exit code, and starts nothing."""

import json
import urllib.request

import pytest

from program import (CREDENTIALS, NEEDS_PERSON, NOT_FOUND, UNREACHABLE, USAGE, at, free_port,
                     keys_of, lab_of, run)

SOME_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
             "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


@pytest.fixture(scope="module")
def demo():
    with lab_of("demo") as lab:
        yield lab


def one_error(result, code, *words):
    assert result.code == code, result
    assert len(result.errors()) == 1, result
    said = result.errors()[0]
    for word in words:
        assert word in said, result
    assert result.out == "", result


def test_a_missing_region_says_where_it_may_come_from():
    result = run("diagnose", "api is down", "--credentials", "env", **SOME_KEYS)
    one_error(result, USAGE, "--region", "ECS_DEEP_AGENT_REGION")


def test_no_credentials_are_taken_unasked():
    result = run("diagnose", "api is down", "--region", "eu-west-1", **SOME_KEYS)
    one_error(result, CREDENTIALS, "no credentials")
    assert "--profile" in result.err and "--credentials env" in result.err


def test_keys_that_were_asked_for_and_are_not_there_are_named():
    result = run("diagnose", "api is down", "--region", "eu-west-1", "--credentials", "env")
    one_error(result, CREDENTIALS, "AWS_ACCESS_KEY_ID")


def test_a_malformed_key_is_named_and_not_repeated():
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "too short"}
    result = run("diagnose", "api is down", "--region", "eu-west-1", "--credentials", "env", **keys)
    assert result.code == CREDENTIALS and "secret_access_key" in result.err, result
    assert "too short" not in result.err + result.out, result


@pytest.mark.parametrize("text, line, word", [
    ('regoin = "eu-west-1"\n', 1, "regoin"),
    ('model = "runbook"\nallow_write = "perhaps"\n', 2, "allow_write"),
    ('timeout = "soon"\n', 1, "30m"),
    ("[[[\n", 1, "line 1"),
])
def test_a_malformed_configuration_names_file_line_and_field(tmp_path, text, line, word):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    result = run("config", "check", "--config", file)
    one_error(result, USAGE, "wrong.toml", f"line {line}", word)


def test_a_configuration_that_is_not_there_is_an_error():
    one_error(run("config", "check", "--config", "/nonexistent/file.toml"), USAGE, "/nonexistent/file.toml")


def test_an_unknown_variable_is_an_error():
    one_error(run("config", "check", ECS_DEEP_AGENT_REGOIN="eu-west-1"), USAGE, "ECS_DEEP_AGENT_REGION")


def test_a_scenario_that_does_not_exist_is_told_with_those_that_do():
    one_error(run("demo", "--scenario", "nonsense"), USAGE, "nonsense", "demo")


def test_a_malformed_scenario_names_file_and_field(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("name: wrong\ntitel: a slip\n")
    one_error(run("lab", "--scenario", file), USAGE, "wrong.yaml", "titel")


def test_an_endpoint_that_does_not_answer_is_named():
    url = f"http://127.0.0.1:{free_port()}"
    result = run("diagnose", "api is down", "--region", "eu-west-1", "--endpoint-url", url,
                 "--credentials", "env", "--format", "json", **SOME_KEYS)
    assert result.code == UNREACHABLE, result
    assert url in result.json()["said"], result


def test_plain_http_to_another_machine_is_refused():
    result = run("diagnose", "x", "--endpoint-url", "http://example.com")
    assert result.code == USAGE and "loopback" in result.err, result


def test_an_unknown_service_is_said_to_be_unknown(demo):
    account = demo["accounts"][0]
    result = run("diagnose", "zeppelin is on fire", "--format", "json",
                 *at(demo["url"], account), **keys_of(account))
    assert result.code == NOT_FOUND, result
    answer = result.json()
    assert answer["service"] is None and answer["context_cleared"] is True, result


def test_two_services_that_match_are_a_question(tmp_path):
    with lab_of("ambiguous-service") as lab:
        account = lab["accounts"][0]
        asking = [*at(lab["url"], account), "--format", "json"]
        result = run("diagnose", "my api service is down", *asking, home=tmp_path, **keys_of(account))
        assert result.code == NEEDS_PERSON, result
        [question] = result.json()["open"]
        assert question["kind"] == "question" and len(question["options"]) >= 2, question
        wrong = run("resume", "last", "--choose", "neither", *asking, home=tmp_path, **keys_of(account))
        one_error(wrong, USAGE, "neither")
        chosen = question["options"][0]["id"]
        result = run("resume", "last", "--choose", chosen, *asking, home=tmp_path, **keys_of(account))
        assert result.json()["service"] is not None, result
        assert result.json()["plan"] is None, "a diagnosis stays one when it is resumed"


def test_a_refused_key_is_told(demo):
    account = demo["accounts"][0]
    result = run("diagnose", "api keeps restarting", "--format", "json",
                 *at(demo["url"], account), **SOME_KEYS)
    assert result.code == CREDENTIALS, result
    assert "key" in result.json()["said"], result


def test_a_role_that_may_not_be_assumed_is_told_with_the_action(demo):
    account = demo["accounts"][0]
    flags = at(demo["url"], account)
    flags[flags.index("--external-id") + 1] = "someone-elses"
    result = run("diagnose", "api keeps restarting", "--format", "json", *flags, **keys_of(account))
    assert result.code == CREDENTIALS, result
    assert "sts:AssumeRole" in result.json()["said"], result


def test_a_thread_that_does_not_exist_is_not_found(tmp_path):
    one_error(run("report", "last", home=tmp_path), NOT_FOUND, "last")


def test_request_bodies_are_never_logged():
    one_error(run("threads", LOG_SIGNABLE_BODY="true"), USAGE, "LOG_SIGNABLE_BODY")


def test_without_approval_not_one_write_reaches_the_lab(demo, tmp_path):
    account = demo["accounts"][0]
    result = run("run", "my api service keeps restarting", "--format", "json", home=tmp_path,
                 *at(demo["url"], account), **keys_of(account))
    assert result.code == NEEDS_PERSON, result
    [approval] = result.json()["open"]
    assert approval["kind"] == "approval" and approval["plan"]["steps"], result
    with urllib.request.urlopen(demo["url"] + "/lab/requests") as answer:
        requests = json.load(answer)["requests"]
    assert requests and not [r for r in requests if r["mutating"]], requests
