"""Connections to the server that fail, break, or are closed from this side."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import anyio.to_thread
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Run

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ThreadBusyError
from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from tests.langgraph_server import LangGraphDev
from tests.providers.langgraph.scripted import request, user

from .front import Front

pytestmark = [pytest.mark.anyio, pytest.mark.processes]


@pytest.fixture
def front(server: LangGraphDev) -> Iterator[Front]:
    with Front(server.url).listening() as listening:
        yield listening


@pytest.fixture
async def sdk(server: LangGraphDev) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


def text_of(events: list[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


async def runs_of(sdk: LangGraphClient, thread: str) -> list[Run]:
    return await sdk.runs.list(thread)


def new_thread() -> str:
    return str(uuid.uuid4())


NUMBERS = "".join(f"{number} " for number in range(20))


@pytest.mark.parametrize("cuts", [[4000], [4000, 0, 9000], [500], [0], [30_000, 100, 100]])
async def test_a_stream_that_breaks_off_is_resumed_where_it_broke(
    front: Front, sdk: LangGraphClient, cuts: list[int]
) -> None:
    provider, thread = LangGraphPlatform(front.url, graph="counts"), new_thread()
    front.cuts = list(cuts)

    events = [e async for e in provider.run(request(user("20", "u"), thread=thread), RequestContext())]
    await provider.aclose()

    assert front.cuts == []
    assert text_of(events) == NUMBERS
    assert events[-1]["type"] == "RUN_FINISHED"
    assert [run["status"] for run in await runs_of(sdk, thread)] == ["success"]


@pytest.mark.parametrize("statuses", [[503], [429, 502, 504]])
@pytest.mark.parametrize("before", [0, 3, 5])
async def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(
    front: Front, sdk: LangGraphClient, statuses: list[int], before: int
) -> None:
    provider, thread = LangGraphPlatform(front.url, graph="counts"), new_thread()
    stream = provider.run(request(user("2", "u"), thread=thread), RequestContext())
    front.refusals = [*[None] * before, *statuses]

    events = [event async for event in stream]
    await provider.aclose()

    assert text_of(events) == "0 1 "
    assert len(await runs_of(sdk, thread)) == 1


async def test_a_run_whose_start_was_not_confirmed_is_not_started_again(
    front: Front, sdk: LangGraphClient
) -> None:
    provider, thread = LangGraphPlatform(front.url, graph="counts"), new_thread()
    await provider.snapshot(thread, RequestContext())  # reads what the graph declares
    front.refusals = [None, None, 0]

    events = [e async for e in provider.run(request(user("20", "u"), thread=thread), RequestContext())]
    await provider.aclose()

    assert front.refusals == []
    assert front.seen.count(f"POST /threads/{thread}/runs/stream") == 1
    assert text_of(events) == NUMBERS
    assert len(await runs_of(sdk, thread)) == 1


async def test_a_server_that_stays_away_ends_the_run_with_an_error(front: Front) -> None:
    provider = LangGraphPlatform(front.url, graph="counts")
    front.refusals = [503] * 10

    with pytest.raises(AgentError, match="HTTP 503: refused with 503") as caught:
        await anext(provider.run(request(user("2", "u"), thread=new_thread()), RequestContext()))

    assert caught.value.status_code == 503
    assert len(front.seen) == 4
    await provider.aclose()


async def test_a_stream_that_is_closed_cancels_the_run(server: LangGraphDev, sdk: LangGraphClient) -> None:
    provider, thread = LangGraphPlatform(server.url, graph="counts"), new_thread()
    stream = provider.run(request(user("1000", "u"), thread=thread), RequestContext())
    async with aclosing(stream) as events:  # type: ignore[type-var]
        async for event in events:
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                break

    await until_over(sdk, thread)
    assert [run["status"] for run in await runs_of(sdk, thread)] == ["interrupted"]
    await provider.aclose()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_run_that_is_stopped_while_it_is_started_is_cancelled(
    front: Front, sdk: LangGraphClient, moment: str
) -> None:
    provider, thread = LangGraphPlatform(front.url, graph="counts"), new_thread()
    front.holds = moment

    async def consume() -> None:
        async for _ in provider.run(request(user("1000", "u"), thread=thread), RequestContext()):
            pass

    task = asyncio.create_task(consume())
    await anyio.to_thread.run_sync(front.held.wait)
    task.cancel()
    front.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_over(sdk, thread)
    assert len(await runs_of(sdk, thread)) == 1
    await provider.aclose()


async def until_over(sdk: LangGraphClient, thread: str) -> None:
    """Waits until the thread has no run in progress, which a second is enough for."""
    async with asyncio.timeout(2):
        while any(run["status"] in ("pending", "running") for run in await runs_of(sdk, thread)):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.02)


async def test_a_thread_that_somebody_else_runs_is_busy(server: LangGraphDev, sdk: LangGraphClient) -> None:
    provider, thread = LangGraphPlatform(server.url, graph="counts"), new_thread()
    await sdk.threads.create(thread_id=thread)
    asked: Any = {"messages": [{"type": "human", "content": "1000"}]}
    foreign = await sdk.runs.create(thread, "counts", input=asked)

    with pytest.raises(ThreadBusyError):
        async for _ in provider.run(request(user("2", "u"), thread=thread), RequestContext()):
            pass

    assert (await sdk.runs.get(thread, foreign["run_id"]))["status"] in ("pending", "running")
    await sdk.runs.cancel(thread, foreign["run_id"])
    await provider.aclose()


async def test_a_run_that_a_lost_process_has_started_gives_way(
    server: LangGraphDev, sdk: LangGraphClient
) -> None:
    lost, provider = (LangGraphPlatform(server.url, graph="counts") for _ in range(2))
    thread = new_thread()
    abandoned = lost.run(request(user("1000", "u"), thread=thread), RequestContext())
    async for event in abandoned:
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            break

    events = [e async for e in provider.run(request(user("3", "v"), thread=thread), RequestContext())]

    assert text_of(events) == "0 1 2 "
    with pytest.raises(AgentError, match="cancelled on the LangGraph server"):
        async for _ in abandoned:
            pass
    statuses = [run["status"] for run in await runs_of(sdk, thread)]
    assert sorted(statuses) == ["interrupted", "success"]
    await lost.aclose()
    await provider.aclose()
