"""Suggestions: runs that leave no trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events as ev
from tests.protocols.agui.served import Event, run_body, serve

pytestmark = pytest.mark.anyio

TOOL = {"name": "copilotkitSuggest", "description": "Suggest what the user could say next", "parameters": {}}
CHOICE = {"toolChoice": {"type": "function", "function": {"name": "copilotkitSuggest"}}}
SUGGESTION: dict[str, Any] = {"tools": [TOOL], "forwardedProps": CHOICE}
CALL = [ev.tool_call_start("s", "copilotkitSuggest"), ev.tool_call_args("s", "{}"), ev.tool_call_end("s")]


async def suggest(input: RunAgentInput) -> AsyncIterator[Event]:
    for event in CALL:
        yield event


@pytest.mark.parametrize("single", [False, True])
async def test_suggestions_are_not_stored_and_do_not_tell_their_input(single: bool) -> None:
    async with serve({"agent": suggest}, single=single) as served:
        request = served.agent("suggest", "agent", run_body(**SUGGESTION))
        events = await served.events(request)
        assert events == [ev.run_started("t1", "r1"), *CALL, ev.run_finished("t1", "r1")]
        assert await served.json(served.resource("GET", "/threads")) == (
            200,
            {"threads": [], "nextCursor": None},
        )
        assert await served.events(served.connect()) == []


@pytest.mark.parametrize("single", [False, True])
async def test_suggestions_that_are_asked_for_by_a_run_are_not_stored_either(single: bool) -> None:
    async with serve({"agent": suggest}, single=single) as served:
        events = await served.events(served.run(**SUGGESTION))
        assert events == [ev.run_started("t1", "r1"), *CALL, ev.run_finished("t1", "r1")]
        assert await served.events(served.connect()) == []


@pytest.mark.parametrize(
    "like",
    [
        {"tools": [TOOL], "forwardedProps": {}},
        {"tools": [], "forwardedProps": CHOICE},
        {"tools": [TOOL, {**TOOL, "name": "other"}], "forwardedProps": CHOICE},
        {"tools": [TOOL], "forwardedProps": {"toolChoice": "auto"}},
        {"tools": [TOOL], "forwardedProps": {"toolChoice": {"function": "copilotkitSuggest"}}},
    ],
)
async def test_a_run_that_only_resembles_suggestions_is_kept(like: dict[str, Any]) -> None:
    async with serve({"agent": suggest}) as served:
        await served.events(served.run(**like))
        assert len(await served.events(served.connect())) == 5


async def test_suggestions_need_no_lock_on_the_thread() -> None:
    go = asyncio.Event()

    async def patient(input: RunAgentInput) -> AsyncIterator[Event]:
        await go.wait()
        yield ev.text_start("m")

    async with serve({"agent": patient, "helper": suggest}) as served, served.run() as run:
        suggested = await served.events(served.agent("suggest", "helper", run_body(run="s1")))
        assert suggested[-1] == ev.run_finished("t1", "s1")
        go.set()
        assert (await run.all_events())[-1] == ev.run_finished("t1", "r1")


async def hanging_until(cancelled: asyncio.Event) -> AsyncIterator[Event]:
    yield ev.text_start("m")
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()


async def test_a_frontend_that_leaves_cancels_its_suggestions() -> None:
    cancelled = asyncio.Event()

    async def hanging(input: RunAgentInput) -> AsyncIterator[Event]:
        async for event in hanging_until(cancelled):
            yield event

    async with serve({"agent": hanging}) as served:
        async with served.agent("suggest", "agent", run_body()) as suggestions:
            await anext(suggestions.events())
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_suggestions_can_be_stopped() -> None:
    cancelled = asyncio.Event()

    async def hanging(input: RunAgentInput) -> AsyncIterator[Event]:
        async for event in hanging_until(cancelled):
            yield event

    async with serve({"agent": hanging}, single=True) as served:
        async with served.run(**SUGGESTION) as suggestions:
            events = suggestions.events()
            await anext(events)
            status, answer = await served.json(served.stop(body={"runId": "r1"}))
            assert (status, answer["stopped"]) == (200, True)
            assert [event async for event in events][-1] == ev.run_finished("t1", "r1")
        assert cancelled.is_set()


async def test_a_failing_agent_tells_why_there_are_no_suggestions() -> None:
    async def failing(input: RunAgentInput) -> AsyncIterator[Event]:
        raise RuntimeError("sk-secret")
        yield {}

    async with serve({"agent": failing}) as served:
        events = await served.events(served.agent("suggest", "agent", run_body()))
    assert [event["type"] for event in events] == ["RUN_STARTED", "RUN_ERROR"]


@pytest.mark.parametrize("run_id", [None, "s1", "s2"])
async def test_of_two_requests_for_suggestions_on_a_thread_either_or_both_can_be_stopped(
    run_id: str | None,
) -> None:
    reached: dict[str, asyncio.Event] = {"s1": asyncio.Event(), "s2": asyncio.Event()}
    go = asyncio.Event()

    async def waiting(input: RunAgentInput) -> AsyncIterator[Event]:
        reached[input.run_id].set()
        await go.wait()
        yield ev.custom("x", 1)

    async with serve({"agent": waiting}) as served:
        asked = [served.agent("suggest", "agent", run_body(run=run)) for run in ("s1", "s2")]
        told = [asyncio.create_task(served.events(exchange)) for exchange in asked]
        for each in reached.values():
            await each.wait()
        body = None if run_id is None else {"runId": run_id}
        _, answer = await served.json(served.stop(body=body))
        assert answer["stopped"] is True
        go.set()
        types = [[event["type"] for event in await each] for each in told]
        finished, stopped = ["RUN_STARTED", "CUSTOM", "RUN_FINISHED"], ["RUN_STARTED", "RUN_FINISHED"]
        assert types == [stopped if run_id in (None, run) else finished for run in ("s1", "s2")]
