"""The evaluation's figures are the lab's, and its JSON has the documented members."""

import json

import pytest
from conftest import ROOT
from program import FINDINGS, OK, USAGE, run

FIGURES = {"scenario", "expected", "found", "identified", "root_cause_exact", "false_causes", "gaps_named",
           "grounded", "repaired", "bystanders_touched", "api_calls", "depth", "wall_ms", "tokens"}
SUMMARY = {"scenarios", "identified", "root_cause_exact", "false_causes", "gaps_named", "grounded", "repaired",
           "repairs", "bystanders_touched", "depth_max", "p50_ms", "p95_ms", "tokens"}


def test_a_repair_a_control_and_a_question_are_scored(tmp_path):
    file = tmp_path / "figures.json"
    chosen = ["demo", "healthy-steady", "ambiguous-service"]
    only = [argument for name in chosen for argument in ("--only", name)]
    result = run("eval", *only, "--repair", "--json", file)
    assert result.code == OK, result
    report = json.loads(file.read_text())
    assert {score["scenario"] for score in report["scenarios"]} == set(chosen)
    assert all(set(score) == FIGURES for score in report["scenarios"])
    assert set(report["summary"]) == SUMMARY
    by_name = {score["scenario"]: score for score in report["scenarios"]}
    assert by_name["demo"]["repaired"] is True and by_name["demo"]["found"] == by_name["demo"]["expected"]
    assert by_name["healthy-steady"]["repaired"] is None and by_name["healthy-steady"]["found"] == []
    assert report["summary"]["identified"] == 1 and report["summary"]["repairs"] >= 1


def test_a_wrong_answer_is_counted_as_one(tmp_path):
    """The positive control: a scenario that claims another cause than it has."""
    text = (ROOT / "scenarios" / "demo.yaml").read_text()
    cause = text.split("causes: [", 1)[1].split("]", 1)[0]
    (tmp_path / "demo.yaml").write_text(text.replace(f"causes: [{cause}]", "causes: [fargate-spot-interruption]"))
    result = run("eval", "--scenarios", tmp_path, "--format", "json")
    assert result.code == FINDINGS, result
    report = result.json()
    assert report["summary"]["root_cause_exact"] == 0 and report["summary"]["false_causes"] == 1
    assert report["confusion"] == [
        {"expected": "fargate-spot-interruption", "found": cause.strip(), "count": 1}]


@pytest.mark.parametrize("arguments, named", [
    (["--only", "nonesuch"], "nonesuch"),
    (["--scenarios", "/nonexistent"], "/nonexistent"),
])
def test_what_cannot_be_played_is_said(arguments, named):
    result = run("eval", *arguments)
    assert result.code == USAGE and named in result.errors()[0], result


def test_a_folder_without_scenarios_is_said(tmp_path):
    result = run("eval", "--scenarios", tmp_path)
    assert result.code == USAGE and "no scenario" in result.errors()[0], result
