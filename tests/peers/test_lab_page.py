"""The lab's page in a real browser: Chromium, as Debian ships it."""

import json
import shutil

import pytest
from playwright.sync_api import sync_playwright

from conftest import pass_time, started

# What somebody may write into a task's reason.
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("chromium is missing: install the package chromium")
    with sync_playwright() as playwright:
        # No sandbox: as root, which is who runs in many containers, Chromium starts with none.
        with playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) as launched:
            yield launched


@pytest.fixture
def lab(clean_environment):
    with started(clean_environment) as lab:
        yield lab


@pytest.fixture
def troubles():
    """What the browser complains about; a test that wants a complaint takes it out again."""
    return []


@pytest.fixture
def page(browser, lab, troubles):
    """The page, opened; it fails the test for any error, refusal of its policy, or foreign request."""
    page = browser.new_page()
    asked = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.url + "/lab")
    page.wait_for_selector("details")
    yield page
    assert troubles == []
    assert asked and all(url.startswith((lab.url, "data:")) for url in asked), asked
    page.close()


def details(page, name):
    return page.locator("details", has=page.locator(".name", has_text=name))


def test_the_page_shows_services_tasks_targets_events_and_the_clock(page, lab):
    assert lab.get("/lab/scenario")["request"] in page.locator("header").inner_text()
    api, billing = details(page, "api"), details(page, "billing")
    assert "steady" in billing.inner_text() and billing.get_attribute("open") is None
    # What is unwell is open already.
    assert api.get_attribute("open") is not None
    text = api.inner_text()
    for part in ("Deployments", "Tasks", "Targets", "Events", "(service api)", "STOPPED", "ecs-svc/"):
        assert part in text
    assert page.locator("#summary").inner_text().endswith("services steady")


def test_the_page_does_not_tell_what_is_wrong(clean_environment, browser):
    with started(clean_environment, "secret-json-key-missing") as lab:
        scenario = lab.get("/lab/scenario")
        page = browser.new_page()
        page.goto(lab.url + "/lab")
        page.wait_for_selector("details")
        text = page.content() + json.dumps(lab.get("/lab/world"))
        page.close()
    assert scenario["request"] in text
    assert scenario["title"] not in text and scenario["name"] not in text


def test_the_page_is_live(page, lab):
    before = page.locator("#clock").inner_text()
    pass_time(lab, 3600)
    page.wait_for_function("before => document.getElementById('clock').textContent !== before", arg=before)
    hour = lab.get("/lab/clock")["now"][11:19]
    page.wait_for_function("hour => document.getElementById('clock').textContent.includes(hour)", arg=hour)


def test_a_person_can_use_it_with_the_keyboard(page):
    summary = details(page, "billing").locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => [...document.querySelectorAll('details')].every(one => one.open)"
                           " || document.activeElement.parentElement.open")
    page.get_by_label("Show services named").fill("mail")
    page.wait_for_function("() => document.querySelectorAll('details').length === 1")
    assert "mailer" in page.locator("details").inner_text()


def test_what_the_world_says_is_shown_as_text_and_never_run(page, lab, troubles):
    ecs = lab.client("ecs", lab.assume())
    task = ecs.list_tasks(cluster="prod", serviceName="billing")["taskArns"][0]
    ecs.stop_task(cluster="prod", task=task, reason=HOSTILE)
    details(page, "billing").locator("summary").click()
    page.wait_for_function("text => document.body.innerText.includes(text)", arg=HOSTILE)
    assert page.locator("#services img, #services script").count() == 0
    assert page.title() == "Fault lab"
    # The control: the policy stops a script that got into the page all the same.
    page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "owned"';
      window.refused = null;
      document.addEventListener('securitypolicyviolation', (event) => {
        window.refused = event.effectiveDirective;
      });
      document.body.append(script);
    }""")
    page.wait_for_function("() => window.refused !== null")
    assert page.evaluate("window.refused") == "script-src-elem"
    [told] = troubles
    assert "Content Security Policy" in told
    troubles.clear()
    assert page.title() == "Fault lab"
