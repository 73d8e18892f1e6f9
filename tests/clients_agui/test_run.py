"""Runs, as every client sees them, and the same threads after a reload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients_agui.browser import CLIENTS, CORE_CLIENTS, OLDEST, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import event, tool_call
from tests.clients_agui.view import assistant, calls, result, shown, user
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients


def test_two_messages_and_their_answers(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    def count(run_input: dict[str, Any]) -> list[Step]:
        number = len(run_input["messages"])
        return run(*text(f"m{number}", "Hello ", "wörld 🌍 ", str(number)))

    url = mount({"default": count})
    page = visit(url)
    first = [user("hi"), assistant("Hello wörld 🌍 1")]
    both = [*first, user("more", "u2"), assistant("Hello wörld 🌍 3", "m3")]
    assert page.send("hi", thread="t1") == shown(*first)
    assert page.send("more", id="u2", thread="t1") == shown(*both)
    assert [call.input["messages"] for call in agent.calls] == [first[:1], both[:3]]
    assert visit(url).connect(thread="t1") == shown(*both)


def test_a_tool_of_the_agent_and_its_result(mount: Mount, visit: Visit) -> None:
    script = run(
        *text("m1", "Let me see."),
        *tool_call("c1", "weather", '{"city":', '"Paris"}', parent="m1"),
        event("TOOL_CALL_RESULT", messageId="r1", toolCallId="c1", content="sunny"),
        *text("m2", "It is sunny."),
    )
    url = mount({"default": script})
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    expected = shown(
        user("hi"),
        {**assistant("Let me see."), "toolCalls": [call]},
        result("sunny", "c1", "r1"),
        assistant("It is sunny.", "m2"),
    )
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def theme(run_input: dict[str, Any]) -> list[Step]:
    """Calls a tool of the frontend, and says what came of it."""
    if run_input["messages"][-1]["role"] == "tool":
        return run(*text("m2", f"It is {run_input['messages'][-1]['content']}."))
    return run(*tool_call("c1", "setTheme", '{"theme":', '"dark"}'))


SET_THEME = {"name": "setTheme", "result": "dark now"}


@only(*CORE_CLIENTS)
def test_a_tool_of_the_frontend_runs_once_and_never_again_after_a_reload(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": theme})
    page = visit(url, tools=[SET_THEME])
    view = page.send("dark please", thread="t1")
    _, called, told, _ = view["messages"]
    assert view == shown(user("dark please"), called, told, assistant("It is dark now.", "m2"))
    assert called["toolCalls"][0]["function"] == {"name": "setTheme", "arguments": '{"theme":"dark"}'}
    assert (told["toolCallId"], told["content"]) == ("c1", "dark now")
    first, second = agent.calls
    assert [tool["name"] for tool in first.input["tools"]] == ["setTheme"]
    assert first.input["runId"] != second.input["runId"]
    assert second.input["messages"] == view["messages"][:3]

    reloaded = visit(url, tools=[SET_THEME])
    assert reloaded.connect(thread="t1") == view
    assert reloaded.log()["toolCalls"] == []
    assert page.log()["toolCalls"] == [{"name": "setTheme", "args": {"theme": "dark"}}]
    assert len(agent.calls) == 2


@only(*CORE_CLIENTS)
def test_a_human_answers_a_tool(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": theme})
    page = visit(url, tools=[{"name": "setTheme", "type": "human-in-the-loop"}])
    sending = page.sending("dark please", thread="t1")
    page.do("answer", tool="setTheme", result="as you like")
    assert sending.result(10)["messages"][-1] == assistant("It is as you like.", "m2")


def test_state_from_the_agent_and_back(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    def count(run_input: dict[str, Any]) -> list[Step]:
        if not run_input.get("state"):
            return run(
                event("STATE_SNAPSHOT", snapshot={"count": 1, "items": []}),
                event("STATE_DELTA", delta=[{"op": "add", "path": "/items/-", "value": "a"}]),
                *text("m1", "one"),
            )
        return run(event("STATE_DELTA", delta=[{"op": "replace", "path": "/count", "value": 2}]))

    url = mount({"default": count})
    page = visit(url)
    state = {"count": 1, "items": ["a"]}
    assert page.send("hi", thread="t1") == shown(user("hi"), assistant("one"), state=state)
    state = {"count": 2, "items": ["a"]}
    expected = shown(user("hi"), assistant("one"), user("more", "u2"), state=state)
    assert page.send("more", id="u2", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def test_a_patch_that_does_not_apply_hurts_nobody(mount: Mount, visit: Visit) -> None:
    bad = event("STATE_DELTA", delta=[{"op": "replace", "path": "/not/there", "value": 2}])
    script = run(event("STATE_SNAPSHOT", snapshot={"a": 1}), bad, *text("m1", "still here"))
    url = mount({"default": script})
    expected = shown(user("hi"), assistant("still here"), state={"a": 1})
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def test_chunks_become_messages(mount: Mount, visit: Visit) -> None:
    script = run(
        event("TEXT_MESSAGE_CHUNK", messageId="m1", role="assistant", delta="Hello"),
        event("TEXT_MESSAGE_CHUNK", delta=" world"),
        event("TOOL_CALL_CHUNK", toolCallId="c1", toolCallName="search", delta='{"q"'),
        event("TOOL_CALL_CHUNK", delta=":1}"),
    )
    url = mount({"default": script})
    expected = shown(user("hi"), assistant("Hello world"), calls("c1", ("c1", "search", '{"q":1}')))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


def test_a_snapshot_of_the_messages(mount: Mount, visit: Visit) -> None:
    messages = [user("hi"), assistant("rewritten"), calls("m2", ("c1", "f", "{}")), result("ok", "c1", "r1")]
    script = run(*text("m1", "written"), event("MESSAGES_SNAPSHOT", messages=messages))
    url = mount({"default": script})
    assert visit(url).send("hi", thread="t1") == shown(*messages)
    assert visit(url).connect(thread="t1") == shown(*messages)


def test_steps_and_custom_and_raw_events(mount: Mount, visit: Visit) -> None:
    script = run(
        event("STEP_STARTED", stepName="think"),
        event("CUSTOM", name="note", value={"a": [1]}),
        *text("m1", "ok"),
        event("RAW", event={"any": "thing"}, source="model"),
        event("STEP_FINISHED", stepName="think"),
    )
    url = mount({"default": script})
    page = visit(url)
    assert page.send("hi", thread="t1") == shown(user("hi"), assistant("ok"))
    told = ["RUN_STARTED", "STEP_STARTED", "CUSTOM", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"]
    told += ["TEXT_MESSAGE_END", "RAW", "STEP_FINISHED", "RUN_FINISHED"]
    assert page.log()["events"] == told
    assert page.log()["customs"] == [{"name": "note", "value": {"a": [1]}}]
    reloaded = visit(url)
    assert reloaded.connect(thread="t1") == shown(user("hi"), assistant("ok"))
    assert reloaded.log()["events"] == told


REASONING = [
    event("REASONING_START", messageId="p1"),
    event("REASONING_MESSAGE_START", messageId="t1", role="reasoning"),
    event("REASONING_MESSAGE_CONTENT", messageId="t1", delta="Well, "),
    event("REASONING_MESSAGE_CONTENT", messageId="t1", delta="yes."),
    event("REASONING_MESSAGE_END", messageId="t1"),
    event("REASONING_END", messageId="p1"),
]
THOUGHT = {"id": "t1", "role": "reasoning", "content": "Well, yes."}


# The clients of CopilotKit 1.50 and 1.51 refuse a stream with events of reasoning.
without_oldest = only(*(client for client in CLIENTS if client.version != OLDEST))


@without_oldest
def test_reasoning(mount: Mount, visit: Visit) -> None:
    url = mount({"default": run(*REASONING, *text("m1", "Yes."))})
    expected = shown(user("hi"), THOUGHT, assistant("Yes."))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected


@without_oldest
def test_the_thinking_of_an_agent_of_ag_ui_0_1_is_shown_as_reasoning(mount: Mount, visit: Visit) -> None:
    thinking = [
        event("THINKING_START", title="plan"),
        event("THINKING_TEXT_MESSAGE_START"),
        event("THINKING_TEXT_MESSAGE_CONTENT", delta="Well, yes."),
        event("THINKING_TEXT_MESSAGE_END"),
        event("THINKING_END"),
    ]
    url = mount({"default": run(*thinking, *text("m1", "Yes."))})
    view = visit(url).send("hi", thread="t1")
    thought = {**THOUGHT, "id": view["messages"][1]["id"]}
    assert view == shown(user("hi"), thought, assistant("Yes."))
    assert visit(url).connect(thread="t1") == view


def test_an_image_is_shown_as_it_was_sent_and_reaches_the_agent_in_the_form_of_ag_ui_1(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    text_part = {"type": "text", "text": "Look:"}
    sent = [text_part, {"type": "binary", "mimeType": "image/png", "data": "aGk="}]
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    url = mount({"default": run(*text("m1", "nice"))})
    page = visit(url)
    assert page.send(sent, thread="t1") == shown(user(sent), assistant("nice"))
    assert agent.calls[0].input["messages"] == [user([text_part, image])]
    # The newest client turns the parts that it reads into those of 1.0 by itself.
    kept = [text_part, image] if page.client.version == "1.0.0" else sent
    assert visit(url).connect(thread="t1") == shown(user(kept), assistant("nice"))


def test_an_activity(mount: Mount, visit: Visit) -> None:
    script = run(
        event("ACTIVITY_SNAPSHOT", messageId="a1", activityType="plan", content={"steps": ["one"]}),
        event(
            "ACTIVITY_DELTA",
            messageId="a1",
            activityType="plan",
            patch=[{"op": "add", "path": "/steps/-", "value": "two"}],
        ),
        *text("m1", "done"),
    )
    url = mount({"default": script})
    activity = {"id": "a1", "role": "activity", "activityType": "plan", "content": {"steps": ["one", "two"]}}
    assert visit(url).send("hi", thread="t1") == shown(user("hi"), activity, assistant("done"))
    assert visit(url).connect(thread="t1") == shown(user("hi"), activity, assistant("done"))


@only(*CORE_CLIENTS)
def test_two_threads_of_one_page_stay_apart(mount: Mount, visit: Visit) -> None:
    def echo(run_input: dict[str, Any]) -> list[Step]:
        return run(*text(f"m-{run_input['threadId']}", json.dumps(run_input["threadId"])))

    url = mount({"default": echo})
    visit(url).send("a", thread="ta", id="ua")
    visit(url).send("b", thread="tb", id="ub")
    page = visit(url)
    a = shown(user("a", "ua"), assistant('"ta"', "m-ta"))
    assert page.connect(thread="ta") == a
    assert page.connect(thread="tb") == shown(user("b", "ub"), assistant('"tb"', "m-tb"))
    assert page.connect(thread="new") == shown()
    assert page.connect(thread="ta") == a


def test_an_unfinished_run_shows_that_it_is_running(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": [RUN_STARTED, *text("m1", "so far"), {"gate": "go"}, RUN_FINISHED]})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    assert page.shows("so far")["running"] is True
    agent.open_gate("go")
    assert sending.result(10) == shown(user("hi"), assistant("so far"))
