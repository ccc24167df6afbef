"""Whole repairs of the shipped program with a language model, over the wire to a provider.

The provider is the model lab; what it is worth is in `test_model_wire.py`.
"""

import tempfile
from pathlib import Path

import pytest

from model_providers import fails, providers, says
from program import OK, at, keys_of, lab_of, run

WORDS = "my api service keeps restarting"

# Words that only this agent's system prompt has.
AGENTS = {
    "main": "You lead the diagnosis",
    "service-identifier": "You find the one ECS service",
    "triage-specialist": "You find out why one ECS service is unwell",
    "repair-planner": "You turn findings into the smallest plan",
    "fix-executor": "You carry out an approved plan",
    "verification-specialist": "You prove whether the repair worked",
}


def task(agent):
    words = "plan PLAN_HASH is approved" if agent == "fix-executor" else WORDS
    return (f"call_{agent}", "task", {"subagent_type": agent, "description": words})


def expert(steps, claim):
    """The parts of a language model that does its work, of which each agent's answers may be changed."""
    return {
        "main": [says("", task(agent)) for agent in list(AGENTS)[1:]]
                + [says("I found the cause, and the repair holds.")],
        "service-identifier": [
            says("", ("call_1", "set_aws_credentials_context", {})),
            says("", ("call_2", "find_ecs_service", {"query": WORDS})),
            says("", ("call_3", "set_service_context_info",
                      {"cluster": "prod", "service": "api", "reason": "the only one of that name"})),
            says("identified: prod/api"),
        ],
        "triage-specialist": [
            says("", ("call_1", "observe_service", {})),
            says("", ("call_2", "diagnose_observation", {}),
                 ("call_3", "submit_findings", {"claims": [claim]})),
            says("", ("call_4", "write_diagnostic_report", {})),
            says("unwell: as the report says"),
        ],
        "repair-planner": [
            says("", ("call_1", "propose_plan", {})),
            says("approved: plan PLAN_HASH"),
        ],
        "fix-executor": [
            says("", (f"call_{step}", "execute_operation", {"plan_hash": "PLAN_HASH", "step": step}))
            for step in range(1, steps + 1)
        ] + [says("executed: every step")],
        "verification-specialist": [
            says("", ("call_1", "verify_service", {})),
            says("", ("call_2", "write_final_report", {})),
            says("repaired: api is healthy"),
        ],
    }


def parts(answers):
    return [{"system": AGENTS[agent], "answers": said} for agent, said in answers.items()]


def repair(scenario, model, lab, configuration="", **variables):
    """Runs a repair in a world of its own."""
    with lab_of(scenario) as world, tempfile.TemporaryDirectory() as home:
        account = world["accounts"][0]
        base = lab.url if model.startswith("anthropic") else f"{lab.url}/v1"
        path = Path(home) / "configuration.toml"
        path.write_text(configuration)
        return run("run", WORDS, "--yes", "--format", "json", "--config", path, "--model", model,
                   "--model-base-url", base, *at(world["url"], account), home=home, timeout=300,
                   **keys_of(account), **variables)


CLAIM = {"claim": "The container is killed for its memory", "mode": "oom-kill-137",
         "quotes": [{"evidence": "E1", "quote": "has started 2 tasks"}]}
ANTHROPIC, OPENAI, COMPATIBLE = ("anthropic:claude-sonnet-4-5", "openai:gpt-5.2",
                                 "openai-compatible:of-our-own")
KEYS = {ANTHROPIC: "ANTHROPIC_API_KEY", OPENAI: "OPENAI_API_KEY",
        COMPATIBLE: "OPENAI_COMPATIBLE_API_KEY"}


def with_key(model, lab):
    return {KEYS[model]: lab.key}


def assert_repaired(done):
    assert done.code == OK, done
    answer = done.json()
    assert answer["said"].startswith("repaired: api is healthy"), answer["said"]
    assert answer["context_cleared"]
    return answer


def assert_counted(answer, lab):
    """What the program counted is what the provider said, to the token."""
    told, used = lab.told(), answer["model"]
    assert {kind: used[f"{kind}_tokens"] for kind in ("cache_read", "cache_write", "output")} == {
        kind: told[kind] for kind in ("cache_read", "cache_write", "output")}
    assert used["input_tokens"] == told["input"]
    return told


@pytest.mark.parametrize("delivery", ["streamed", "whole"])
@pytest.mark.parametrize("model", KEYS)
def test_a_model_does_the_whole_work(model, delivery):
    provider = model.partition(":")[0]
    configuration = f'[models.providers.{provider}]\ndelivery = "{delivery}"\n'
    with providers(parts(expert(2, CLAIM))) as lab:
        done = repair("demo", model, lab, configuration, **with_key(model, lab))
        answer = assert_repaired(done)
        told = assert_counted(answer, lab)
        assert all(exchange["turn"]["streamed"] == (delivery == "streamed")
                   for exchange in lab.exchanges())
    report = answer["files"]["/final_report.md"]
    assert "It comes to the same root causes." in report
    assert "runbook took over" not in report
    assert f"Model `{model}`" in report
    assert [claim["standing"] for claim in answer["claims"]] == [{"standing": "shared"}]
    assert lab.key not in done.out + done.err
    if model == ANTHROPIC:
        dollars = (told["input"] * 3 + told["output"] * 15) / 1e6
        assert answer["model"]["cost_usd"] == pytest.approx(dollars)
    if model == COMPATIBLE:
        assert answer["model"]["cost_usd"] is None


@pytest.mark.parametrize("model", KEYS)
def test_whatever_the_provider_does_the_work_is_done(model):
    answers = expert(2, CLAIM)
    observe, look, *rest = answers["triage-specialist"]
    answers["triage-specialist"] = [
        fails(429, "slow down", retry_after="1"),
        {"cut": [observe["reply"], {"after_bytes": 200, "end": "aborted"}]},
        observe,
        says("", ("call_a", "diagnose_observation", "{"), ("call_b", "restart_everything", {})),
        {"fails_midway": [look["reply"], {"status": 529, "message": "Overloaded"}]},
        look,
        *rest,
    ]
    answers["verification-specialist"] = [says(refusal="I will not judge that")]
    with providers(parts(answers)) as lab:
        answer = assert_repaired(repair("demo", model, lab, **with_key(model, lab)))
        assert_counted(answer, lab)
        refused = [(exchange["status"], exchange["refused"]) for exchange in lab.exchanges()
                   if exchange["status"] not in (200, 429)]
    assert refused == [], "the program sent what a provider does not take"
    report = answer["files"]["/final_report.md"]
    assert "verification-specialist: it failed:" in report
    assert "triage-specialist: it" not in report


def test_another_model_takes_over_from_a_provider_that_is_not_there():
    with providers(parts(expert(2, CLAIM))) as lab:
        configuration = f"""
[models]
fallbacks = ["{OPENAI}"]
[models.providers.openai]
base_url = "{lab.url}/v1"
"""
        nowhere = type(lab)("http://127.0.0.1:1", lab.key)
        done = repair("demo", ANTHROPIC, nowhere, configuration,
                      ANTHROPIC_API_KEY="a-key-of-nothing", OPENAI_API_KEY=lab.key)
        answer = assert_repaired(done)
        assert_counted(answer, lab)


def test_a_wrong_key_is_said_and_the_runbook_does_the_work():
    with providers(parts(expert(2, CLAIM))) as lab:
        done = repair("demo", ANTHROPIC, lab, ANTHROPIC_API_KEY="another-key-than-the-labs")
        answer = assert_repaired(done)
        assert len(lab.exchanges()) <= len(AGENTS), "it is asked again and again"
    assert "invalid x-api-key" in answer["files"]["/final_report.md"]
    assert "another-key-than-the-labs" not in done.out + done.err
