"""A hundred users at once: each request is signed by its own invocation's key."""

from program import OK, run


def test_a_hundred_invocations_at_once_never_cross():
    result = run("demo", "isolation", "--invocations", "100", "--json", timeout=580)
    assert result.code == OK, result
    summary = result.json()
    assert summary["invocations"] == 100
    assert summary["in_sequence"] > 0
    assert summary["crossed"] == 0 and summary["contexts_left"] == 0
    lines = summary["lines"]
    assert len({line["account"] for line in lines}) == 100
    assert len({line["region"] for line in lines}) > 1
    assert all(line["requests"] > 0 for line in lines)
    assert summary["requests"] == sum(line["requests"] for line in lines)
