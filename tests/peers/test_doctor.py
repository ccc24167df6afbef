"""`doctor` tries each thing that a run needs, and says what is wrong with which."""

import tempfile

from model_providers import fails, providers, says
from program import CREDENTIALS, OK, UNREACHABLE, at, keys_of, lab_of, run

MODEL = "anthropic:claude-sonnet-4-5"


def doctor(world, home, *more, **variables):
    account = world["accounts"][0]
    given = keys_of(account) | variables
    done = run("doctor", "--format", "json", *at(world["url"], account), *more, home=home, **given)
    return done, {check["part"]: check for check in done.json()["checks"]}


def ready(*answers):
    return [{"system": "", "answers": list(answers)}]


def test_everything_is_tried_once():
    with lab_of("demo") as world, tempfile.TemporaryDirectory() as home:
        done, checks = doctor(world, home)
        assert done.code == OK, done
        assert all(check["is_well"] for check in checks.values())
        assert set(checks) == {"configuration", "threads", "model runbook", "credentials"}
        assert world["accounts"][0]["role_arn"].split(":")[4] in checks["credentials"]["says"]

        with providers(ready(says("ready"))) as lab:
            done, checks = doctor(world, home, "--model", MODEL, "--model-base-url", lab.url,
                                  ANTHROPIC_API_KEY=lab.key)
            assert done.code == OK, done
            assert "answered `ready`" in checks[f"model {MODEL}"]["says"]
            assert len(lab.exchanges()) == 1
            assert lab.key not in done.out + done.err


def test_what_is_wrong_is_said_and_the_rest_is_tried_all_the_same():
    with lab_of("demo") as world, tempfile.TemporaryDirectory() as home:
        with providers(ready(fails(529, "Overloaded"))) as lab:
            asked = ["--model", MODEL, "--model-base-url", lab.url]
            done, checks = doctor(world, home, *asked, ANTHROPIC_API_KEY=lab.key)
            assert done.code == UNREACHABLE
            assert "Overloaded" in checks[f"model {MODEL}"]["says"]
            assert checks["credentials"]["is_well"]

            done, checks = doctor(world, home, *asked, ANTHROPIC_API_KEY="another-key-than-it")
            assert done.code == CREDENTIALS
            assert "check the key" in checks[f"model {MODEL}"]["says"]

            done, checks = doctor(world, home, *asked)
            assert done.code == CREDENTIALS
            assert "ANTHROPIC_API_KEY" in checks[f"model {MODEL}"]["says"]

        done, checks = doctor(world, home, AWS_SECRET_ACCESS_KEY="not-the-key-of-anybody")
        assert done.code == CREDENTIALS
        assert not checks["credentials"]["is_well"]
        assert checks["threads"]["is_well"]
