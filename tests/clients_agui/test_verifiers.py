"""Whatever an agent yields and however its run ends, the real clients accept the run, and its replay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal, TypeAlias

import anyio
import pytest
from ag_ui.core import RunAgentInput
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.events import well_formed
from copilotkit_runtime_py.context import ANONYMOUS
from copilotkit_runtime_py.limits import Limits
from tests.clients_agui.oracles import Oracles
from tests.examples import examples
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Event, Served, serve
from tests.random_events import agent_events

pytestmark = pytest.mark.clients

Cut: TypeAlias = Literal["end", "stop", "exception", "limit"]
NEWEST = "1.0.0"
OLDER = ("0.0.59", "0.0.57", "0.0.53")


class Agent:
    """Yields what it is given, and then ends as it is told."""

    def __init__(self, yielded: list[Event], cut: Cut) -> None:
        self._yielded = yielded
        self._cut = cut
        self.done = asyncio.Event()

    def provider(self) -> Any:
        async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
            if input.run_id == "r2":
                yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m9", "delta": "again"}
                return
            try:
                for event in self._yielded:
                    yield event
                if self._cut == "exception":
                    raise ValueError("boom")
            finally:
                self.done.set()
            if self._cut == "stop":
                await asyncio.Event().wait()

        return agent


async def body_of(exchange: Exchange) -> bytes:
    async with exchange:
        return await exchange.body()


async def first_run(served: Served, agent: Agent, cut: Cut, **options: Any) -> bytes:
    async with served.run(**options) as run:
        if cut == "stop":
            await agent.done.wait()
            await body_of(served.stop(thread=options["thread"]))
        return await run.body()


async def bodies_of(yielded: list[Event], cut: Cut) -> tuple[dict[str, list[bytes]], list[Event]]:
    """The streams of a run, of its replay, and of its replay after another run, by what clients declare.

    And the conversation as the store has it after the first run.
    """
    limits = Limits(events_per_run=8 if cut == "limit" else 1_000)
    bodies: dict[str, list[bytes]] = {}
    stored: dict[str, list[Event]] = {}
    declared: dict[str, dict[str, Any]] = {"newer": {"protocolVersion": "1.0"}, "older": {}}
    for name, options in declared.items():
        agent = Agent(yielded, cut)
        async with serve({"agent": agent.provider()}, limits=limits) as served:
            live = await first_run(served, agent, cut, thread="t1", run="r1", **options)
            replayed = await body_of(served.connect(**options))
            left = await served.runtime.state_store.load_state(ANONYMOUS, "t1", "agent")
            assert left is not None
            stored.setdefault(name, left.messages)
            await body_of(served.run(run="r2", **options))
            bodies[name] = [live, replayed, await body_of(served.connect(**options))]
    return bodies, stored["newer"]


def by_id(messages: list[Event]) -> dict[str, Event]:
    """A conversation without its order, which a snapshot decides in the store, and not on the page.

    The store has a replacement character for half of an emoji.
    """
    assert len({message["id"] for message in messages}) == len(messages)
    text = well_formed(json.dumps(messages, ensure_ascii=False))
    return {message["id"]: message for message in json.loads(text)}


@pytest.mark.timeout(0)
@settings(
    max_examples=examples(200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(yielded=agent_events(), cut=st.sampled_from(["end", "end", "stop", "exception", "limit"]))
def test_every_client_accepts_a_run_and_its_replay_and_shows_the_same_after_a_reload(
    oracles: Oracles, yielded: list[Event], cut: Cut
) -> None:
    bodies, stored = anyio.run(bodies_of, yielded, cut)
    streams = [(NEWEST, body) for body in bodies["newer"]]
    streams += [(version, body) for version in OLDER for body in bodies["older"]]
    verdicts = oracles.read(streams)
    assert [verdict["threw"] for verdict in verdicts] == [None] * len(streams)
    for at in range(0, len(verdicts), 3):
        live, replayed, later = verdicts[at : at + 3]
        assert len(live["runErrors"]) <= 1
        assert replayed["messages"] == live["messages"]
        if at == 0:  # older clients ignore a state that is null, 0 or the like
            assert replayed["state"] == live["state"]
            # A page drops a message in the making that a snapshot does not have; the store keeps it.
            if not any(event["type"] == "MESSAGES_SNAPSHOT" for event in yielded):
                assert by_id(stored) == by_id(live["messages"])
        assert replayed["interrupts"] == live["interrupts"]
        assert later["messages"][: len(live["messages"])] == live["messages"]
        assert (replayed["runErrors"], later["runErrors"], later["interrupts"]) == ([], [], [])
