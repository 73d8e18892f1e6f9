"""What readers get of an agent's subagents: the events of AG-UI 1.0, if they declare it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import AgentSnapshot, Provider, RequestContext
from copilotkit_runtime_py.agui import events as ev
from tests.protocols.agui.served import Event, serve, without_input

pytestmark = pytest.mark.anyio

TAG = {"subagentRunId": "s1"}
SAID = {"id": "m1", "role": "assistant", "content": 'a "subagentRunId": b'}
INTERRUPT = {"id": "i", "reason": "confirm"}
# A run for a client that declares no version announces its questions in the older form, too.
ASKED = ev.custom("on_interrupt", '{"id":"i","reason":"confirm"}')
TOLD: list[Event] = [
    {"type": "SUBAGENT_STARTED", "name": "helper", **TAG},
    ev.step_started("look") | TAG,
    ev.step_started("look"),
    ev.text_start("m1") | TAG,
    ev.text_content("m1", 'a "subagentRunId": b') | TAG,
    ev.text_end("m1") | TAG,
    ev.messages_snapshot([SAID | TAG]),
    ev.step_finished("look") | TAG,
    ev.step_finished("look"),
    {"type": "SUBAGENT_FINISHED", **TAG},
]
PLAIN: list[Event] = [
    ev.run_started("t1", "r1"),
    ev.step_started("look"),
    ev.text_start("m1"),
    ev.text_content("m1", 'a "subagentRunId": b'),
    ev.text_end("m1"),
    ev.messages_snapshot([SAID]),
    ev.step_finished("look"),
    ASKED,
    ev.run_finished("t1", "r1", [INTERRUPT]),
]


async def delegating(input: RunAgentInput) -> AsyncIterator[Event]:
    for event in TOLD:
        yield event
    yield ev.run_finished(input.thread_id, input.run_id, [INTERRUPT | TAG])


async def test_a_client_that_declares_ag_ui_1_gets_them_and_another_gets_what_they_say() -> None:
    async with serve({"agent": delegating}) as served:
        assert without_input(await served.events(served.run())) == PLAIN
        assert without_input(await served.events(served.connect())) == PLAIN
        newer = [ev.run_started("t1", "r1"), *TOLD, ev.run_finished("t1", "r1", [INTERRUPT | TAG])]
        again = without_input(await served.events(served.connect(protocolVersion="1.0")))
        assert again == [*newer[:-1], ASKED, newer[-1]]
        live = await served.events(served.run(thread="t2", protocolVersion="1.0"))
        assert [event["type"] for event in live] == [event["type"] for event in newer]


async def test_a_memory_that_knows_subagents_is_told_without_them() -> None:
    class Remembering(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
            yield ev.run_started(input.thread_id, input.run_id)

        async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
            return AgentSnapshot(messages=[SAID | TAG])

    async with serve({"agent": Remembering()}) as served:
        older = await served.events(served.connect(run="c1"))
        newer = await served.events(served.connect(run="c1", protocolVersion="1.0"))
    assert older[1] == ev.messages_snapshot([SAID])
    assert newer[1] == ev.messages_snapshot([SAID | TAG])


async def test_a_reader_who_comes_back_goes_on_where_it_was_although_some_events_are_left_out() -> None:
    async with serve({"agent": delegating}) as served:
        async with served.run() as run:
            body = await run.body()
        frames = [frame for frame in body.split(b"\n\n") if frame]
        for place, frame in enumerate(frames, 1):
            last = frame[4 : frame.index(b"\n")].decode()
            async with served.connect(headers={"last-event-id": last}) as reader:
                assert [rest for rest in (await reader.body()).split(b"\n\n") if rest] == frames[place:]
