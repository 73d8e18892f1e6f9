"""Coming back to a stream on another worker than the one that sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events as ev
from copilotkit_runtime_py.agui.reducer import Transcript
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Event, Served, serve

pytestmark = pytest.mark.anyio


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    id = f"{input.run_id}-m"
    yield ev.text_start(id)
    for delta in ("Hel", "lo", " wörld 🌍"):
        yield ev.text_content(id, delta)
    yield ev.state_snapshot({"step": 1})
    yield ev.text_end(id)
    yield ev.state_delta([{"op": "replace", "path": "/step", "value": 2}])


class Gated:
    """An agent that says a word each time it is let, and ends when it is told to."""

    def __init__(self) -> None:
        self.words = anyio.Semaphore(0)

    def agent(self) -> Any:
        async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
            yield ev.text_start(f"{input.run_id}-m")
            for word in range(4):
                await self.words.acquire()
                yield ev.text_content(f"{input.run_id}-m", f"w{word} ")

        return agent


@asynccontextmanager
async def workers(folder: Path, agent: Any, count: int = 2) -> AsyncIterator[list[Served]]:
    """As many runtimes on one store, which know nothing of each other."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{folder / 'threads.db'}"
        yield [
            await stack.enter_async_context(serve({"agent": agent}, state_store=url)) for _ in range(count)
        ]


async def frames(exchange: Exchange) -> list[bytes]:
    async with exchange:
        body = await exchange.body()
    return [frame + b"\n\n" for frame in body.split(b"\n\n") if frame]


def id_of(frame: bytes) -> str:
    assert frame.startswith(b"id: ")
    return frame[4 : frame.index(b"\n")].decode()


def outcome(seen: list[bytes]) -> tuple[Any, list[str]]:
    """What frames leave a frontend with, and the runs that they end."""
    told = [orjson.loads(frame.partition(b"data: ")[2]) for frame in seen]
    transcript = Transcript([], {})
    for event in told:
        transcript.add(event)
    return transcript.result(), [event["runId"] for event in told if event["type"] == "RUN_FINISHED"]


async def test_a_run_in_progress_goes_on_at_any_event_on_another_worker(tmp_path: Path) -> None:
    gated = Gated()
    async with workers(tmp_path, gated.agent()) as (one, other), one.run() as run:
        chunks = run.chunks()
        seen = b""
        for _ in range(3):
            gated.words.release()
        while b"w2" not in seen:
            seen += await anext(chunks)
        whole = [frame + b"\n\n" for frame in seen.split(b"\n\n") if frame]
        async with AsyncExitStack() as stack:
            readers = [
                await stack.enter_async_context(other.connect(headers={"last-event-id": id_of(frame)}))
                for frame in whole
            ]
            gated.words.release()
            whole += [frame + b"\n\n" for frame in (await run.body()).split(b"\n\n") if frame]
            for place, reader in enumerate(readers, 1):
                assert await reader.body() == b"".join(whole[place:])


async def test_any_event_id_that_was_ever_sent_leads_to_the_same_end_on_any_worker(tmp_path: Path) -> None:
    async with workers(tmp_path, talk, 3) as (one, two, three):
        sent: list[list[bytes]] = []
        for run in ("r1", "r2", "r3"):
            live = await frames(one.run(run=run))
            for worker in (one, two):
                replayed = await frames(worker.connect())
                sent.append(replayed)
            # What a reader of this run alone has, with the runs before it.
            before = replayed[: next(i for i, frame in enumerate(replayed) if run.encode() in frame)]
            sent.append(before + live)
        everything = outcome(await frames(three.connect()))
        assert everything[1] == ["r1", "r2", "r3"]
        for whole in sent:
            for place, frame in enumerate(whole, 1):
                rest = await frames(three.connect(headers={"last-event-id": id_of(frame)}))
                assert outcome(whole[:place] + rest) == everything, id_of(frame)


@pytest.mark.parametrize("last", ["1:99", "1/99", "1:2/99", "1:99/2", "2:99", "2/99", "2:1/99", "3:0", "3/0"])
async def test_an_event_id_that_was_never_sent_means_from_the_beginning(tmp_path: Path, last: str) -> None:
    async with workers(tmp_path, talk) as (one, two):
        for run in ("r1", "r2"):
            await frames(one.run(run=run))
        for worker in (one, two):
            everything = await frames(worker.connect())
            assert await frames(worker.connect(headers={"last-event-id": last})) == everything


@pytest.mark.parametrize("last", ["2:99", "2/0", "2:0/0", "3:0"])
async def test_an_event_id_beyond_a_run_in_progress_means_from_the_beginning(
    tmp_path: Path, last: str
) -> None:
    gated = Gated()
    async with workers(tmp_path, gated.agent()) as (one, other), AsyncExitStack() as stack:
        for _ in range(5):
            gated.words.release()
        await frames(one.run(run="r1"))
        await stack.enter_async_context(one.run(run="r2"))
        readers = [
            await stack.enter_async_context(worker.connect(headers=headers))
            for worker in (one, other)
            for headers in ({}, {"last-event-id": last})
        ]
        for _ in range(3):
            gated.words.release()
        bodies = {await reader.body() for reader in readers}
    assert len(bodies) == 1
    assert b"id: 1/0\n" in bodies.pop()
