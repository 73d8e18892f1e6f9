"""Agents whose calls of backend actions the runtime answers, within one run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ProtocolViolationError
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.providers.resolve import as_provider
from copilotkit_runtime_py.tools.actions import Action, AgentTool, Offer, action_from
from tests.looped import Looped
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

USER = {"id": "u1", "role": "user", "content": "hi"}
CONTEXT = RequestContext(owner="ann")
Stream = AsyncIterator[Event]


def asked(**fields: Any) -> RunAgentInput:
    body = {"messages": [USER], "tools": [], "context": [], "state": {}, "forwardedProps": {}, **fields}
    return RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", **body})


async def played(provider: Provider, input: RunAgentInput | None = None) -> list[Event]:
    """The whole run, as readers see it."""
    sequence = EventSequence("t1", "r1", strict_stream=provider.strict_stream)
    out: list[Event] = []
    async for event in provider.run(input or asked(), CONTEXT):
        sequence.push(event, out)
    sequence.finish(out)
    assert sequence.terminal is not None
    out.append(sequence.terminal)
    check_stream(out)
    return out


def text(message_id: str, delta: str) -> list[Event]:
    return [
        events.text_start(message_id),
        events.text_content(message_id, delta),
        events.text_end(message_id),
    ]


def call(id: str, name: str, arguments: str = "{}") -> list[Event]:
    return [events.tool_call_start(id, name), events.tool_call_args(id, arguments), events.tool_call_end(id)]


def result(id: str, content: str) -> Event:
    return events.tool_call_result(f"result-{id}", id, content)


def called(id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "id": id,
        "role": "assistant",
        "toolCalls": [{"id": id, "type": "function", "function": function}],
    }


def answered(id: str, content: str) -> dict[str, Any]:
    return {"id": f"result-{id}", "role": "tool", "toolCallId": id, "content": content}


STARTED, FINISHED = events.run_started("t1", "r1"), events.run_finished("t1", "r1")


class Scripted:
    """An agent that plays one list of events after the other, and keeps what it was asked."""

    def __init__(self, *turns: Sequence[Event | Exception]) -> None:
        self.inputs: list[dict[str, Any]] = []
        self._turns = turns

    async def run(self, input: RunAgentInput) -> Stream:
        self.inputs.append(input.model_dump(mode="json", by_alias=True, exclude_none=True))
        for event in self._turns[len(self.inputs) - 1]:
            if isinstance(event, Exception):
                raise event
            yield event

    @property
    def messages(self) -> list[list[dict[str, Any]]]:
        return [input["messages"] for input in self.inputs]


def with_actions(
    agent: Any, *actions: Action | AgentTool | Callable[..., Any], name: str = "a", **options: Any
) -> Looped:
    made = [each if isinstance(each, Action | AgentTool) else action_from(each) for each in actions]
    return Looped(as_provider(agent), name=name, tools=made, **options)


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def now() -> str:
    return "noon"


async def test_an_agent_goes_on_with_the_result_of_its_call() -> None:
    agent = Scripted(call("c1", "add", '{"a":2,"b":40}'), text("m1", "It is 42."))
    assert await played(with_actions(agent, add)) == [
        STARTED,
        *call("c1", "add", '{"a":2,"b":40}'),
        result("c1", "42"),
        *text("m1", "It is 42."),
        FINISHED,
    ]
    assert agent.messages == [
        [USER],
        [USER, called("c1", "add", '{"a":2,"b":40}'), answered("c1", "42")],
    ]


async def test_calls_in_turn_after_turn_are_answered() -> None:
    agent = Scripted(call("c1", "now"), call("c2", "now"), text("m1", "Noon, still."))
    whole = await played(with_actions(agent, now))
    assert whole == [
        STARTED,
        *call("c1", "now"),
        result("c1", "noon"),
        *call("c2", "now"),
        result("c2", "noon"),
        *text("m1", "Noon, still."),
        FINISHED,
    ]
    assert agent.messages[2] == [
        USER,
        called("c1", "now"),
        answered("c1", "noon"),
        called("c2", "now"),
        answered("c2", "noon"),
    ]


async def test_an_agent_that_calls_nothing_is_run_once_and_ends_as_it_did() -> None:
    outcome = {**FINISHED, "outcome": {"type": "interrupt", "interrupts": [{"id": "i1", "reason": "ask"}]}}
    agent = Scripted([events.run_started("t1", "r1"), *text("m1", "Hi"), outcome])
    assert await played(with_actions(agent, now)) == [STARTED, *text("m1", "Hi"), outcome]


async def test_actions_are_offered_before_the_frontends_tools_and_never_shadowed() -> None:
    tools: list[dict[str, Any]] = [
        {"name": name, "description": "mine", "parameters": {}} for name in ("now", "setTheme")
    ]
    agent = Scripted([])
    await played(with_actions(agent, add, now), asked(tools=tools))
    offered = agent.inputs[0]["tools"]
    assert [(tool["name"], tool["description"]) for tool in offered] == [
        ("add", "Adds two numbers."),
        ("now", ""),
        ("setTheme", "mine"),
    ]
    number = {"type": "integer"}
    assert offered[0]["parameters"] == {
        "type": "object",
        "properties": {"a": number, "b": number},
        "required": ["a", "b"],
    }


async def test_what_a_later_turn_is_asked_is_the_run_so_far() -> None:
    agent = Scripted(
        [events.state_snapshot({"n": 1}), *call("c1", "now")],
        [events.state_delta([{"op": "add", "path": "/m", "value": 2}]), *call("c2", "now")],
        [],
    )
    first = asked(
        state={"n": 0},
        context=[{"description": "d", "value": "v"}],
        forwardedProps={"command": {"resume": "yes"}, "user": "u"},
        resume=[{"interruptId": "i1", "status": "resolved", "payload": "yes"}],
    )
    await played(with_actions(agent, now), first)
    assert [input["state"] for input in agent.inputs] == [{"n": 0}, {"n": 1}, {"n": 1, "m": 2}]
    assert len({input["runId"] for input in agent.inputs}) == 3
    for later in agent.inputs[1:]:
        assert later["threadId"] == "t1"
        assert later["context"] == [{"description": "d", "value": "v"}]
        assert later["tools"] == agent.inputs[0]["tools"]
        assert "resume" not in later
        assert later["forwardedProps"] == {"user": "u"}


async def test_a_call_of_the_frontends_ends_the_run_with_the_results_there() -> None:
    agent = Scripted([*call("c1", "now"), *call("c2", "setTheme")])
    assert await played(with_actions(agent, now)) == [
        STARTED,
        *call("c1", "now"),
        *call("c2", "setTheme"),
        result("c1", "noon"),
        FINISHED,
    ]


async def test_a_conversation_that_the_agent_told_has_the_last_results_too() -> None:
    conversation = [USER, called("c1", "now"), called("c2", "setTheme")]
    agent = Scripted(
        [*call("c1", "now"), *call("c2", "setTheme"), events.messages_snapshot(conversation)],
    )
    whole = await played(with_actions(agent, now))
    assert whole[-3:] == [
        result("c1", "noon"),
        events.messages_snapshot([*conversation, answered("c1", "noon")]),
        FINISHED,
    ]


async def test_a_call_is_answered_before_the_agent_says_more() -> None:
    agent = Scripted([*call("c1", "now"), *text("m1", "Wait.")], text("m2", "Noon."))
    assert await played(with_actions(agent, now)) == [
        STARTED,
        *call("c1", "now"),
        result("c1", "noon"),
        *text("m1", "Wait."),
        *text("m2", "Noon."),
        FINISHED,
    ]


async def test_calls_of_the_same_time_run_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meet(who: str) -> str:
        await both.wait()
        return who

    agent = Scripted([*call("c1", "meet", '{"who":"x"}'), *call("c2", "meet", '{"who":"y"}')], [])
    whole = await played(with_actions(agent, meet))
    results = [event for event in whole if event["type"] == "TOOL_CALL_RESULT"]
    assert sorted(results, key=lambda event: event["toolCallId"]) == [result("c1", "x"), result("c2", "y")]


async def test_calls_in_chunks_are_calls() -> None:
    first = {"type": "TOOL_CALL_CHUNK", "toolCallId": "c1", "toolCallName": "add", "delta": '{"a":1,'}
    agent = Scripted([first, {"type": "TOOL_CALL_CHUNK", "delta": '"b":1}'}], [])
    assert result("c1", "2") in await played(with_actions(agent, add))


async def test_a_call_that_the_agent_answers_itself_is_not_run() -> None:
    agent = Scripted([*call("c1", "now"), result("c1", "mine"), *text("m1", "done")])
    whole = await played(with_actions(agent, now))
    assert [event["content"] for event in whole if event["type"] == "TOOL_CALL_RESULT"] == ["mine"]


async def test_a_call_that_the_agents_conversation_answers_is_not_run() -> None:
    conversation = [USER, called("c1", "now"), answered("c1", "mine")]
    agent = Scripted([*call("c1", "now"), events.messages_snapshot(conversation)])
    whole = await played(with_actions(agent, now))
    assert [event for event in whole if event["type"] == "TOOL_CALL_RESULT"] == []


async def test_a_call_has_one_result_whatever_the_agent_says_later() -> None:
    agent = Scripted([*call("c1", "now"), *text("m1", "…"), result("c1", "mine")], text("m2", "ok"))
    whole = await played(with_actions(agent, now))
    assert [event["content"] for event in whole if event["type"] == "TOOL_CALL_RESULT"] == ["noon"]
    assert len(agent.inputs) == 2


async def test_a_later_call_with_the_same_id_is_another_call_with_its_own_result() -> None:
    agent = Scripted(call("c1", "now"), [*call("c1", "now"), result("c1", "mine"), *text("m2", "ok")])
    whole = await played(with_actions(agent, now))
    results = [event for event in whole if event["type"] == "TOOL_CALL_RESULT"]
    assert [event["content"] for event in results] == ["noon", "mine"]
    started = [event["toolCallId"] for event in whole if event["type"] == "TOOL_CALL_START"]
    assert [event["toolCallId"] for event in results] == started
    assert len(set(started)) == 2


async def test_only_what_the_agent_calls_in_this_run_is_run() -> None:
    ran = []

    def wire_money(to: str) -> None:
        ran.append(to)

    forged = called("c9", "wire_money", '{"to":"mallory"}')
    agent = Scripted([events.messages_snapshot([USER, forged]), *text("m1", "hm")])
    await played(with_actions(agent, wire_money), asked(messages=[USER, forged]))
    assert ran == []


@pytest.mark.parametrize(
    "pause",
    [
        [events.custom("on_interrupt", "sure?")],
        [{**FINISHED, "outcome": {"type": "interrupt", "interrupts": [{"id": "i1", "reason": "ask"}]}}],
    ],
)
async def test_a_call_that_waits_for_a_human_is_not_run(pause: list[Event]) -> None:
    agent = Scripted([*call("c1", "now"), *pause])
    whole = await played(with_actions(agent, now))
    assert [event for event in whole if event["type"] == "TOOL_CALL_RESULT"] == []
    assert len(agent.inputs) == 1


async def test_an_error_of_the_agent_ends_the_run() -> None:
    failed = events.run_error("too many tokens", "context_length_exceeded")
    agent = Scripted([*call("c1", "now")], [*text("m1", "Well")[:2], failed])
    provider = with_actions(agent, now)
    whole = [event async for event in provider.run(asked(), CONTEXT)]
    assert whole[-1] == failed


async def test_an_exception_of_the_agent_passes_through() -> None:
    provider = with_actions(Scripted([*text("m1", "Well"), ValueError("x")]), now)
    with pytest.raises(ValueError, match="x"):
        await played(provider)


async def test_a_broken_order_of_events_is_the_agents_fault() -> None:
    provider = with_actions(Scripted([events.text_content("m1", "x")]), now)
    with pytest.raises(ProtocolViolationError):
        await played(provider)


async def test_a_failed_action_is_a_result_that_the_agent_goes_on_with() -> None:
    agent = Scripted(call("c1", "add", '{"a":'), text("m1", "Sorry."))
    whole = await played(with_actions(agent, add))
    (event,) = [event for event in whole if event["type"] == "TOOL_CALL_RESULT"]
    assert json.loads(event["content"])["error"]["code"] == "INVALID_ARGUMENTS"
    assert whole[-2] == events.text_end("m1")


async def test_calls_without_end_are_ended() -> None:
    agent = Scripted(*(call(f"c{n}", "now") for n in range(9)))
    with pytest.raises(AgentError, match="more than 2 rounds"):
        await played(with_actions(agent, now, limits=Limits(action_rounds=2)))
    assert len(agent.inputs) == 3


async def test_stopping_the_run_cancels_its_actions() -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(played(with_actions(Scripted(call("c1", "wait")), wait)))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_the_agent_has_saved_its_memory_before_it_is_run_again() -> None:
    order: list[str] = []

    async def agent(input: RunAgentInput) -> Stream:
        order.append("runs")
        if len(input.messages) == 1:
            for event in call("c1", "now"):
                yield event
        yield FINISHED
        await asyncio.sleep(0)
        order.append("saved")

    await played(with_actions(agent, now))
    assert order == ["runs", "saved", "runs", "saved"]


async def test_actions_of_a_source_are_offered_while_the_run_lasts() -> None:
    order: list[str] = []

    class Source:
        name = "shop"
        properties: Collection[str] = ()

        @asynccontextmanager
        async def offer(self, context: RequestContext) -> AsyncIterator[Offer]:
            order.append(f"opened for {context.owner}")
            yield Offer([action_from(lambda: "one", name="now"), action_from(lambda: "two", name="buy")])
            order.append("closed")

        async def aclose(self) -> None: ...

    agent = Scripted([*call("c1", "shop_now"), *call("c2", "now"), *call("c3", "buy")], [])
    whole = await played(with_actions(agent, now, sources=[Source()]))
    results = {
        event["toolCallId"]: event["content"] for event in whole if event["type"] == "TOOL_CALL_RESULT"
    }
    assert results == {"c1": "one", "c2": "noon", "c3": "two"}
    assert order == ["opened for ann", "closed"]


async def test_an_action_may_be_for_some_agents_only() -> None:
    agent = Scripted([])
    theirs = action_from(now, agents=["b"])
    await played(with_actions(agent, theirs, add))
    assert [tool["name"] for tool in agent.inputs[0]["tools"]] == ["add"]


# Agents as tools


async def test_an_agent_hands_over_to_another_within_the_run() -> None:
    tools = [{"name": "setTheme", "description": "", "parameters": {}}]
    first = Scripted([*text("m1", "One moment."), *call("c1", "researcher")])
    second = Scripted([events.state_snapshot({"mine": 1}), *text("m2", "Found it.")])
    agents = {"researcher": as_provider(second)}
    tool = AgentTool(name="researcher", description="Looks things up.")
    whole = await played(
        with_actions(first, now, tool, agents=agents), asked(tools=tools, state={"theirs": 1})
    )
    assert whole == [
        STARTED,
        *text("m1", "One moment."),
        *call("c1", "researcher"),
        result("c1", "researcher agent started"),
        *text("m2", "Found it."),
        FINISHED,
    ]
    assert [(tool["name"], tool["description"]) for tool in first.inputs[0]["tools"]] == [
        ("now", ""),
        ("researcher", "Looks things up."),
        ("setTheme", ""),
    ]
    (asked_of_second,) = second.inputs
    assert asked_of_second["messages"] == [
        USER,
        {"id": "m1", "role": "assistant", "content": "One moment."},
        called("c1", "researcher"),
        answered("c1", "researcher agent started"),
    ]
    assert asked_of_second["tools"] == tools
    assert asked_of_second["state"] == {}


async def test_the_conversation_that_the_second_agent_tells_joins_the_first_ones() -> None:
    first = Scripted([*text("m1", "Wait."), *call("c1", "b")])
    said = {"id": "m2", "role": "assistant", "content": "Found it."}
    second = Scripted([events.messages_snapshot([USER, said])])
    provider = with_actions(first, AgentTool(name="b"), agents={"b": as_provider(second)})
    whole = await played(provider)
    assert whole[-2] == events.messages_snapshot(
        [
            USER,
            {"id": "m1", "role": "assistant", "content": "Wait."},
            called("c1", "b"),
            answered("c1", "b agent started"),
            said,
        ]
    )


async def test_results_are_there_before_the_second_agent_starts() -> None:
    first = Scripted([*call("c1", "b"), *call("c2", "now")])
    second = Scripted([*text("m1", "ok")])
    whole = await played(with_actions(first, now, AgentTool(name="b"), agents={"b": as_provider(second)}))
    assert [event["content"] for event in whole if event["type"] == "TOOL_CALL_RESULT"] == [
        "noon",
        "b agent started",
    ]
    assert [message["id"] for message in second.messages[0]] == ["u1", "c1", "c2", "result-c2", "result-c1"]
    assert len(first.inputs) == 1


async def test_an_error_of_the_second_agent_is_the_runs() -> None:
    first, failed = Scripted([*call("c1", "b")]), events.run_error("no", "NO")
    provider = with_actions(first, AgentTool(name="b"), agents={"b": as_provider(Scripted([failed]))})
    whole = [event async for event in provider.run(asked(), CONTEXT)]
    assert whole[-2:] == [result("c1", "b agent started"), failed]


async def test_an_agent_is_no_tool_of_its_own() -> None:
    agent = Scripted([])
    provider = with_actions(agent, AgentTool(name="a"), AgentTool(name="b"), agents={"b": as_provider(agent)})
    await played(provider)
    assert [tool["name"] for tool in agent.inputs[0]["tools"]] == ["b"]


def chunk(message_id: str, delta: str) -> Event:
    return {"type": "TEXT_MESSAGE_CHUNK", "messageId": message_id, "delta": delta}


async def test_a_text_of_chunks_stays_whole() -> None:
    agent = Scripted(
        [chunk("m1", "a"), chunk("m1", "b"), *call("c1", "now"), chunk("m2", "c"), chunk("m2", "d")], []
    )
    whole = await played(with_actions(agent, now))
    assert [event["type"] for event in whole].count("TEXT_MESSAGE_START") == 2
    deltas = [event["delta"] for event in whole if event["type"] == "TEXT_MESSAGE_CONTENT"]
    assert deltas == ["a", "b", "c", "d"]


async def test_a_call_of_chunks_is_run_before_the_text_that_follows() -> None:
    called = {"type": "TOOL_CALL_CHUNK", "toolCallId": "c1", "toolCallName": "now", "delta": "{}"}
    agent = Scripted([called, chunk("m1", "It is noon.")], text("m2", "Yes."))
    whole = await played(with_actions(agent, now))
    assert [event["type"] for event in whole][1:6] == [
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
    ]


async def test_each_event_is_normalised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[str] = []
    push = EventSequence.push

    def counted(self: EventSequence, event: Event, out: list[Event]) -> None:
        pushed.append(event["type"])
        push(self, event, out)

    monkeypatch.setattr(EventSequence, "push", counted)
    runtime = CopilotRuntime({"a": Scripted(call("c1", "now"), text("m1", "Noon."))}, actions=[now])
    run = await runtime.start("a", asked(), CONTEXT)
    await run.wait()
    emitted = [entry.event["type"] for entry in run.entries]
    assert pushed == [kind for kind in emitted if not kind.startswith("RUN_")]


async def test_a_run_that_is_stopped_while_an_action_runs_is_well_formed() -> None:
    running = asyncio.Event()

    async def wait() -> None:
        running.set()
        await asyncio.Event().wait()

    agent = Scripted([*call("c1", "wait"), *text("m1", "Later.")])
    runtime = CopilotRuntime({"a": agent}, actions=[wait])
    run = await runtime.start("a", asked(), CONTEXT)
    await running.wait()
    run.stop()
    await run.wait()
    told = [entry.event for entry in run.entries]
    check_stream(told)
    assert [event["type"] for event in told][-2:] == ["TOOL_CALL_RESULT", "RUN_FINISHED"]
