"""The providers' own Python clients take the model lab for a provider, in every form.

What the program's own clients are tested against is only as good as what these say of it.
"""

import json
import os

import anthropic
import openai
import pytest

from model_providers import fails, providers, says

FIGURES = {"input": 1009, "cache_read": 211, "cache_write": 0, "output": 37}
TOOL = {"type": "object", "properties": {"what": {"type": "string"}}}
CALLS = (("call_a", "lookup", {"what": "a"}), ("call_b", "lookup", {"what": "b"}))


@pytest.fixture(autouse=True)
def nothing_from_the_shell(monkeypatch):
    """The clients read further keys and headers from there."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def lab():
    with providers() as lab:
        yield lab


class Said:
    """What came back, whatever the form."""

    def __init__(self, text, calls, figures, ended):
        self.text, self.calls, self.figures, self.ended = text, calls, figures, ended


class Messages:
    errors = anthropic

    def __init__(self, lab, streamed):
        self.client = anthropic.Anthropic(api_key=lab.key, base_url=lab.url, max_retries=0)
        self.streamed = streamed
        self.messages = []

    def say(self, answer):
        self.messages.append({"role": "user", "content": json.dumps(answer)})
        return self._ask()

    def results(self, results):
        self.messages.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call, "content": text}
            for call, text in results]})
        return self._ask()

    def _ask(self):
        tools = [{"name": "lookup", "description": "looks up", "input_schema": TOOL}]
        asked = {"model": "claude", "max_tokens": 4096, "messages": self.messages, "tools": tools}
        if self.streamed:
            with self.client.messages.stream(**asked) as stream:
                answer = stream.get_final_message()
        else:
            answer = self.client.messages.create(**asked)
        self.messages.append({"role": "assistant", "content": [
            block.model_dump(exclude_none=True, include={"type", "text", "id", "name", "input"})
            for block in answer.content]})
        used = answer.usage
        return Said(
            "".join(block.text for block in answer.content if block.type == "text"),
            [(block.id, block.name, block.input) for block in answer.content
             if block.type == "tool_use"],
            {"input": used.input_tokens, "cache_read": used.cache_read_input_tokens or 0,
             "cache_write": used.cache_creation_input_tokens or 0, "output": used.output_tokens},
            answer.stop_reason)

    ENDS = {"whole": "end_turn", "calls": "tool_use", "truncated": "max_tokens",
            "refused": "refusal"}


class Chat:
    errors = openai

    def __init__(self, lab, streamed):
        self.client = openai.OpenAI(api_key=lab.key, base_url=f"{lab.url}/v1", max_retries=0)
        self.streamed = streamed
        self.messages = []

    def say(self, answer):
        self.messages.append({"role": "user", "content": json.dumps(answer)})
        return self._ask()

    def results(self, results):
        self.messages += [{"role": "tool", "tool_call_id": call, "content": text}
                          for call, text in results]
        return self._ask()

    def _ask(self):
        tools = [{"type": "function", "function": {"name": "lookup", "parameters": TOOL}}]
        asked = {"model": "gpt", "messages": self.messages, "tools": tools}
        if self.streamed:
            more = {"stream_options": {"include_usage": True}}
            try:
                with self.client.chat.completions.stream(**asked, **more) as stream:
                    answer = stream.until_done().get_final_completion()
            except openai.LengthFinishReasonError as truncated:
                answer = truncated.completion
        else:
            answer = self.client.chat.completions.create(**asked)
        choice, used = answer.choices[0], answer.usage
        calls = choice.message.tool_calls or []
        self.messages.append({"role": "assistant", "content": choice.message.content} | (
            {"tool_calls": [{"id": call.id, "type": "function", "function": {
                "name": call.function.name, "arguments": call.function.arguments}}
                for call in calls]} if calls else {}))
        return Said(
            choice.message.content or choice.message.refusal or "",
            [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls],
            figures(used.prompt_tokens, used.prompt_tokens_details, used.completion_tokens),
            "refusal" if choice.message.refusal else choice.finish_reason)

    ENDS = {"whole": "stop", "calls": "tool_calls", "truncated": "length", "refused": "refusal"}


class Responses:
    errors = openai

    def __init__(self, lab, streamed):
        self.client = openai.OpenAI(api_key=lab.key, base_url=f"{lab.url}/v1", max_retries=0)
        self.streamed = streamed
        self.items = []

    def say(self, answer):
        self.items.append({"role": "user", "content": json.dumps(answer)})
        return self._ask()

    def results(self, results):
        self.items += [{"type": "function_call_output", "call_id": call, "output": text}
                       for call, text in results]
        return self._ask()

    def _ask(self):
        tools = [{"type": "function", "name": "lookup", "parameters": TOOL, "strict": False}]
        asked = {"model": "gpt", "input": self.items, "tools": tools}
        if self.streamed:
            with self.client.responses.stream(**asked) as stream:
                for event in stream:
                    if event.type in ("response.completed", "response.incomplete"):
                        answer = event.response
        else:
            answer = self.client.responses.create(**asked)
        calls = [item for item in answer.output if item.type == "function_call"]
        if answer.output_text:
            self.items.append({"role": "assistant", "content": answer.output_text})
        self.items += [{"type": "function_call", "call_id": call.call_id, "name": call.name,
                        "arguments": call.arguments} for call in calls]
        refusals = [part.refusal for item in answer.output if item.type == "message"
                    for part in item.content if part.type == "refusal"]
        ended = "refusal" if refusals else "calls" if calls else answer.status
        return Said(
            answer.output_text or "".join(refusals),
            [(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
            figures(answer.usage.input_tokens, answer.usage.input_tokens_details,
                    answer.usage.output_tokens),
            ended)

    ENDS = {"whole": "completed", "calls": "calls", "truncated": "incomplete",
            "refused": "refusal"}


def figures(prompt, details, output):
    cached = (details and details.cached_tokens) or 0
    return {"input": prompt - cached, "cache_read": cached, "cache_write": 0, "output": output}


@pytest.fixture(params=[Messages, Chat, Responses], ids=["messages", "chat", "responses"])
def form(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def talk(form, lab, request):
    return form(lab, request.param)


def test_parallel_calls_are_answered_and_paid_for(talk, lab):
    before = lab.told()
    asked = talk.say(says("looking", *CALLS, figures=FIGURES))
    assert asked.text == "looking"
    assert asked.calls == [(name, tool, arguments) for name, tool, arguments in CALLS]
    assert asked.figures == FIGURES
    assert asked.ended == talk.ENDS["calls"]

    answered = talk.results([("call_a", "one"), ("call_b", "two")])
    assert (answered.text, answered.calls) == ("call_a=one call_b=two", [])
    assert answered.ended == talk.ENDS["whole"]
    after = lab.told()
    assert {kind: after[kind] - before[kind] for kind in after} == {
        kind: asked.figures[kind] + answered.figures[kind] for kind in after}


def test_what_is_left_unsaid_is_told_from_what_is_said(talk):
    assert talk.say(says("half of", is_truncated=True)).ended == talk.ENDS["truncated"]


def test_a_refusal_is_a_refusal(talk):
    # Anthropic's clients know it by the reason that the answer ended for.
    assert talk.say(says(refusal="not that")).ended == talk.ENDS["refused"]


def test_errors_are_the_clients_own(talk):
    errors = talk.errors
    with pytest.raises(errors.RateLimitError) as caught:
        talk.say(fails(429, "slow down", retry_after="7"))
    assert caught.value.response.headers["retry-after"] == "7"
    assert "slow down" in str(caught.value)
    for status in (500, 529):
        with pytest.raises(errors.APIStatusError) as caught:
            talk.say(fails(status, "not now"))
        assert caught.value.status_code == status


def test_a_broken_answer_is_seen(talk):
    reply = says("a long answer " * 40)["reply"]
    with pytest.raises(Exception) as caught:
        talk.say({"cut": [reply, {"after_bytes": 300, "end": "aborted"}]})
    # Whatever the transport under the client calls it.
    assert "Error" in type(caught.value).__name__, caught


def test_a_call_without_its_answer_is_refused(talk):
    talk.say(says("", *CALLS))
    with pytest.raises(talk.errors.BadRequestError):
        talk.results([("call_a", "one")])
    with pytest.raises(talk.errors.BadRequestError):
        talk.results([("call_a", "one"), ("call_b", "two"), ("call_c", "three")])


def test_without_the_key_nobody_is_answered(form, lab):
    lab = type(lab)(lab.url, "another-key")
    with pytest.raises(form.errors.AuthenticationError):
        form(lab, streamed=False).say(says("hello"))
