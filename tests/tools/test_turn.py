"""One turn of an agent: what it still has to be told, and when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.providers.function import FunctionProvider
from copilotkit_runtime_py.tools.actions import AgentTool, action_from
from copilotkit_runtime_py.tools.turn import AgentTurn

USER = {"id": "u1", "role": "user", "content": "hi"}
FINISHED = events.run_finished("t1", "r1")


async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
    yield FINISHED


def now() -> str:
    return "noon"


def turn(*tools: Any, **members: Any) -> AgentTurn:
    input = RunInput.parse({"threadId": "t1", "runId": "r1", "messages": [USER], **members})
    offered = {tool.name: tool for tool in tools or (action_from(now),)}
    return AgentTurn(FunctionProvider(agent), input, offered, run_id="r1")


def call(id: str, name: str) -> list[Event]:
    return [events.tool_call_start(id, name), events.tool_call_args(id, "{}"), events.tool_call_end(id)]


def observe(of: AgentTurn, *emitted: Event) -> list[bool]:
    return [of.observe(event) for event in emitted]


def run_waiting(of: AgentTurn) -> list[str]:
    waiting = of.take_waiting()
    for id, _ in waiting:
        of.answer(events.tool_call_result(f"result-{id}", id, "noon"))
    return [id for id, _ in waiting]


def test_a_turn_without_calls_is_settled_by_its_end() -> None:
    played = turn()
    observe(played, events.text_start("m1"), events.text_end("m1"))
    assert not played.settled
    played.end(FINISHED)
    assert (played.settled, played.goes_on, played.terminal) == (True, False, FINISHED)


def test_an_error_settles_a_turn_whatever_it_called() -> None:
    played = turn()
    observe(played, *call("c1", "now"))
    played.end(events.run_error("no"))
    assert played.settled


def test_a_call_waits_from_its_end_on_and_is_taken_once() -> None:
    played = turn()
    observe(played, *call("c1", "now")[:2])
    assert (played.calls_actions, played.take_waiting()) == (True, [])
    observe(played, events.tool_call_end("c1"))
    ((id, taken),) = played.take_waiting()
    assert (id, taken.action.name, "".join(taken.arguments)) == ("c1", "now", "{}")
    assert (played.calls_actions, played.take_waiting()) == (False, [])


def test_the_agent_goes_on_with_the_results_under_another_run_id() -> None:
    answers = [{"interruptId": "i", "status": "resolved"}]
    played = turn(state={"n": 1}, resume=answers, forwardedProps={"command": 1, "a": 2})
    observe(played, *call("c1", "now"), events.state_snapshot({"n": 2}))
    run_waiting(played)
    played.end(FINISHED)
    assert (played.settled, played.goes_on) == (False, True)
    asked = played.next().input.json
    called = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert asked["messages"] == [
        USER,
        {"id": "c1", "role": "assistant", "toolCalls": [called]},
        {"id": "result-c1", "role": "tool", "toolCallId": "c1", "content": "noon"},
    ]
    assert (asked["state"], asked["forwardedProps"], "resume" in asked) == ({"n": 2}, {"a": 2}, False)
    assert asked["runId"] != "r1"


def test_an_end_under_the_turns_own_run_id_is_the_runs() -> None:
    played = turn()
    observe(played, *call("c1", "now"))
    run_waiting(played)
    played.end(FINISHED)
    later = played.next()
    later.end(events.run_finished("t1", later.input.run_id))
    assert later.terminal == FINISHED


@pytest.mark.parametrize(
    "emitted",
    [
        [*call("c1", "now"), *call("c2", "pickColor")],
        [*call("c1", "now"), events.custom("on_interrupt", "sure?")],
        [*call("c1", "now"), events.custom("CopilotKitLangGraphInterruptEvent", {})],
    ],
)
def test_the_agent_waits_for_the_frontend_or_a_human(emitted: list[Event]) -> None:
    played = turn()
    observe(played, *emitted)
    run_waiting(played)
    played.end(FINISHED)
    assert (played.settled, played.goes_on) == (False, False)


def test_an_outcome_with_interrupts_pauses_the_agent() -> None:
    played = turn()
    observe(played, *call("c1", "now"))
    played.end(events.run_finished("t1", "r1", [{"id": "i", "reason": "x"}]))
    assert played.paused


def test_a_call_that_the_agent_answers_itself_is_not_run() -> None:
    played = turn()
    assert observe(played, *call("c1", "now"), events.tool_call_result("x", "c1", "mine"))[-1] is True
    assert played.take_waiting() == []
    observe(played, *call("c2", "now"))
    snapshot = [{"id": "y", "role": "tool", "toolCallId": "c2", "content": "mine"}]
    observe(played, events.messages_snapshot(snapshot))
    assert played.take_waiting() == []
    played.end(FINISHED)
    assert played.settled


def test_a_second_result_of_a_call_is_rejected() -> None:
    played = turn()
    observe(played, *call("c1", "now"))
    run_waiting(played)
    assert observe(played, events.tool_call_result("x", "c1", "again")) == [False]
    played.end(FINISHED)
    later = played.next()
    assert observe(later, *call("c1", "now"), events.tool_call_result("x", "c1", "again"))[-1] is False
    assert later.take_waiting() == []


def test_a_snapshot_is_outdated_by_results_that_follow_it() -> None:
    played = turn()
    observe(played, *call("c1", "now"), events.messages_snapshot([USER]))
    assert not played.outdated_snapshot
    run_waiting(played)
    assert played.outdated_snapshot
    observe(played, events.messages_snapshot([USER]))
    assert not played.outdated_snapshot


def test_an_agent_that_takes_over_gets_neither_the_state_nor_the_servers_tools() -> None:
    tools: list[Any] = [{"name": name, "description": ""} for name in ("researcher", "pickColor")]
    played = turn(AgentTool(name="researcher"), state={"n": 1}, tools=tools)
    observe(played, *call("c1", "researcher"))
    assert played.hand_overs() == [("c1", "researcher")]
    asked = played.handed_over().json
    assert (asked["state"], [tool["name"] for tool in asked["tools"]]) == ({}, ["pickColor"])
