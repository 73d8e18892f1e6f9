"""Reasoning and subagents that an agent leaves open or tells out of order, as every client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import CLIENTS, OLDEST, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import event
from tests.clients_agui.view import assistant, error, shown, user
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

HANG: Step = {"hang": True}
THINKING = [
    event("REASONING_START", messageId="r1"),
    event("REASONING_MESSAGE_START", messageId="r1", role="reasoning"),
    event("REASONING_MESSAGE_CONTENT", messageId="r1", delta="hm"),
]
THOUGHT = {"id": "r1", "role": "reasoning", "content": "hm"}
FIRST, SECOND = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
DELEGATING = [
    event("SUBAGENT_STARTED", name="one", **FIRST),
    event("SUBAGENT_STARTED", name="two", **SECOND),
    event("STEP_STARTED", stepName="look", **FIRST),
    event("STEP_STARTED", stepName="look", **SECOND),
    event("TEXT_MESSAGE_CHUNK", messageId="m1", delta="found", **FIRST),
    event("TEXT_MESSAGE_CHUNK", messageId="m2", delta="as well", **SECOND),
]

# The clients of CopilotKit 1.50 and 1.51 refuse a stream with events of reasoning.
without_oldest = only(*(client for client in CLIENTS if client.version != OLDEST))


@without_oldest
def test_reasoning_that_is_open_at_the_end_of_a_run(mount: Mount, visit: Visit) -> None:
    chunk = event("TEXT_MESSAGE_CHUNK", messageId="m1", delta="answer")
    url = mount({"default": [RUN_STARTED, *THINKING, chunk, RUN_FINISHED]})
    expected = shown(user("hi"), THOUGHT, assistant("answer"))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


@without_oldest
def test_a_stop_while_an_agent_thinks(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": [RUN_STARTED, *THINKING, *DELEGATING, HANG]})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("as well")
    page.stop()
    stopped = sending.result(10)
    assert (stopped["errors"], stopped["messages"][1]) == ([], THOUGHT)
    agent.play("default", run(*text("m3", "here I am")))
    assert page.send("again", id="u2", thread="t1")["messages"][-1] == assistant("here I am", "m3")
    assert visit(url).connect(thread="t1")["errors"] == []


@without_oldest
def test_an_error_while_an_agent_thinks(mount: Mount, visit: Visit) -> None:
    failed = event("RUN_ERROR", message="No more.")
    url = mount({"default": [RUN_STARTED, *THINKING, *DELEGATING, failed]})
    view = visit(url).send("hi", thread="t1")
    assert (view["errors"], view["messages"][1]) == ([error("No more.")], THOUGHT)
    reloaded = visit(url).connect(thread="t1")
    assert (reloaded["errors"], reloaded["messages"]) == ([], view["messages"])


@without_oldest
def test_reasoning_out_of_order(mount: Mount, visit: Visit) -> None:
    script = [event("REASONING_END", messageId="r0"), THINKING[0], *THINKING, *text("m1", "answer")]
    url = mount({"default": run(*script)})
    expected = shown(user("hi"), THOUGHT, assistant("answer"))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def test_subagents_that_are_open_at_the_end_with_steps_of_one_name(mount: Mount, visit: Visit) -> None:
    finished = [event("STEP_FINISHED", stepName="look", **tag) for tag in (FIRST, SECOND)]
    url = mount({"default": [RUN_STARTED, *DELEGATING, *finished, RUN_FINISHED]})
    page = visit(url)
    view = page.send("hi", thread="t1")
    tags: tuple[dict[str, Any], ...] = (FIRST, SECOND) if page.client.version == "1.0.0" else ({}, {})
    expected = shown(user("hi"), assistant("found") | tags[0], assistant("as well", "m2") | tags[1])
    assert view == expected
    assert visit(url).connect(thread="t1") == expected


@without_oldest
@pytest.mark.parametrize("first", ["reasoning", "text"])
def test_reasoning_and_text_of_one_id_are_two_messages(mount: Mount, visit: Visit, first: str) -> None:
    thinking = [{"event": {**step["event"], "messageId": "m1"}} for step in THINKING[1:]]
    parts = [*thinking, event("REASONING_MESSAGE_END", messageId="m1")], [*text("m1", "answer")]
    url = mount({"default": run(*(parts[0] + parts[1] if first == "reasoning" else parts[1] + parts[0]))})
    if first == "reasoning":
        expected = shown(user("hi"), {**THOUGHT, "id": "m1"}, assistant("answer", "m1-assistant"))
    else:
        expected = shown(user("hi"), assistant("answer"), {**THOUGHT, "id": "m1-reasoning"})
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def test_an_activity_and_text_of_one_id_are_two_messages(mount: Mount, visit: Visit) -> None:
    activity = event("ACTIVITY_SNAPSHOT", messageId="m1", activityType="plan", content={"step": 1})
    change = event(
        "ACTIVITY_DELTA",
        messageId="m1",
        activityType="plan",
        patch=[{"op": "replace", "path": "/step", "value": 2}],
    )
    url = mount({"default": run(activity, *text("m1", "answer"), change)})
    plan = {"id": "m1", "role": "activity", "activityType": "plan", "content": {"step": 2}}
    expected = shown(user("hi"), plan, assistant("answer", "m1-assistant"))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected
