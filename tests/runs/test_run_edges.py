"""The edges of a run: exact limits, requests to a run that is over, and what an agent does too late."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ag_ui.core import TokenUsage

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.usage import record_usage
from copilotkit_runtime_py.errors import AgentError, RunLostError
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.event_log import Entry
from copilotkit_runtime_py.runs.log_memory import LogMemory
from copilotkit_runtime_py.runs.run import Run, RunStatus
from tests.running import StreamRun, Unrecorded

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Stream = AsyncIterator[Any]

STARTED = events.run_started("t1", "r1")
FINISHED = events.run_finished("t1", "r1")
LOST = RunLostError()


def events_of(run: Run) -> list[Event]:
    return [entry.event for entry in run.entries]


async def hangs(*first: Event) -> Stream:
    for event in first:
        yield event
    await asyncio.Event().wait()


async def yields(*all: Event) -> Stream:
    for event in all:
        yield event


async def turns(count: int = 10) -> None:
    """Lets the other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("ask", ["stop", "fail"])
async def test_an_agent_that_saves_its_memory_after_its_end_is_left_alone(ask: str) -> None:
    ended, go, saved = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def agent() -> Stream:
        yield FINISHED
        ended.set()
        await go.wait()
        saved.set()

    run = StreamRun()
    run.play(agent())
    await ended.wait()
    run.stop() if ask == "stop" else run.fail(AgentError("too late", "LATE"))
    go.set()
    await run.wait()
    assert saved.is_set()
    assert (run.status, run.error, run.stopping) == (RunStatus.FINISHED, None, False)


async def test_the_time_to_the_first_event_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)

    async def agent() -> Stream:
        nonlocal now
        for number in range(3):
            now += 3.0
            yield events.custom("x", number)

    run = StreamRun()
    run.play(agent())
    assert run.first_event_after is None
    await run.wait()
    assert run.first_event_after == 3.0


@pytest.mark.parametrize(("full", "beyond", "asked"), [(True, 1, 2), (True, 0, 0), (False, 1, 0)])
async def test_room_is_made_when_memory_is_full_and_the_log_holds_more_than_its_share(
    full: bool, beyond: int, asked: int
) -> None:
    class Memory(LogMemory):
        @property
        def is_full(self) -> bool:
            return full

        @property
        def share(self) -> float:
            return run.held - beyond

    class Roomy(Unrecorded):
        async def make_room(self, run: Run) -> None:
            rooms.append(run)

    rooms: list[Run] = []
    run = StreamRun(Roomy(), memory=Memory())
    run.play(yields(events.custom("x", 1), events.custom("y", 2)))
    await run.wait()
    assert rooms == [run] * asked


async def test_a_run_that_was_stopped_is_not_failed() -> None:
    run = StreamRun()
    run.play(hangs())
    await turns()
    run.stop()
    run.fail(AgentError("too late", "LATE"))
    await run.wait()
    assert (run.status, run.error) == (RunStatus.STOPPED, None)


async def test_a_run_fails_with_the_first_error() -> None:
    first = AgentError("first", "FIRST")
    run = StreamRun()
    run.play(hangs())
    await turns()
    run.fail(first)
    run.fail(AgentError("second", "SECOND"))
    await run.wait()
    assert run.error is first
    assert events_of(run)[-1] == events.run_error("first", "FIRST")


async def test_a_run_that_is_over_cannot_be_lost() -> None:
    run = StreamRun()
    run.play(yields(events.custom("x", 1)))
    await run.wait()
    emitted = events_of(run)
    run.lose([], LOST)
    assert (run.status, run.error, events_of(run)) == (RunStatus.FINISHED, None, emitted)


async def test_a_lost_run_ends_with_an_error_if_its_end_is_not_known() -> None:
    run = StreamRun()
    run.play(hangs(events.custom("x", 1)))
    await turns()
    # The other worker's log is no longer than what readers have seen.
    run.lose([Entry.of(STARTED), Entry.of(FINISHED)], LOST)
    run.lose([], RuntimeError("lost twice"))  # type: ignore[arg-type]
    await run.wait()
    assert events_of(run) == [STARTED, events.custom("x", 1), events.run_error(LOST.message, LOST.code)]
    assert (run.status, run.error) == (RunStatus.FAILED, LOST)


async def test_a_lost_run_ends_as_another_worker_has_ended_it() -> None:
    run = StreamRun()
    run.play(hangs(events.custom("x", 1)))
    await turns()
    ended = [STARTED, events.custom("x", 1), events.custom("y", 2), FINISHED]
    run.lose([Entry.of(event) for event in ended], LOST)
    await run.wait()
    assert events_of(run) == ended


async def test_closing_a_run_waits_for_its_end_but_not_for_ever() -> None:
    go = asyncio.Event()

    class Slow(Unrecorded):
        async def after_end(self, run: Run) -> None:
            await go.wait()
            recorded.append(run.id)

    recorded: list[str] = []
    left, waited = StreamRun(Slow()), StreamRun(Slow())
    for run in (left, waited):
        run.play(yields())
    await turns()
    await left.close(0)
    assert (left.ended, recorded) == (True, [])
    go.set()
    await waited.close(5)
    assert recorded == ["r1"]


async def test_the_whole_log_has_the_terminal_event_before_readers_see_it() -> None:
    class Recorder(Unrecorded):
        async def before_end(self, run: Run) -> None:
            recorded.extend(entry.event for entry in await run.whole())

    recorded: list[Event] = []
    run = StreamRun(Recorder())
    run.play(yields())
    await run.wait()
    assert recorded == [STARTED, FINISHED]
    assert [entry.event for entry in await run.whole()] == recorded


async def test_the_terminal_event_reports_the_tokens_that_the_agent_used() -> None:
    async def agent() -> Stream:
        record_usage(TokenUsage(provider="openai", model="m", input_tokens=3, output_tokens=4))
        yield events.custom("x", 1)

    run = StreamRun()
    run.play(agent())
    await run.wait()
    (usage,) = events_of(run)[-1]["usage"]
    assert (usage["inputTokens"], usage["outputTokens"]) == (3, 4)


async def test_an_agent_that_exits_fails_with_an_error_that_names_the_exit() -> None:
    async def agent() -> Stream:
        yield events.custom("x", 1)
        raise SystemExit(3)

    run = StreamRun()
    run.play(agent())
    await run.wait()
    assert str(run.error) == "the agent raised SystemExit"


class Marked:
    """A transform that marks every event, and adds one at the end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def push(self, event: Event) -> Iterator[Event]:
        by = [*event.get("by", ()), self._name]
        yield {**event, "by": by} if event["type"] == "CUSTOM" else event

    def end(self, terminal: Event) -> Iterator[Event]:
        yield events.custom(f"end of {self._name}", terminal["type"])


async def test_what_a_transform_adds_at_the_end_goes_through_those_after_it() -> None:
    run = StreamRun()
    run.streaming.transforms = [Marked("first"), Marked("second")]
    run.play(yields(events.custom("x", 1)))
    await run.wait()
    assert events_of(run) == [
        STARTED,
        {**events.custom("x", 1), "by": ["first", "second"]},
        {**events.custom("end of first", "RUN_FINISHED"), "by": ["second"]},
        events.custom("end of second", "RUN_FINISHED"),
        FINISHED,
    ]
    assert not any(entry.cut for entry in run.entries)


async def test_a_transform_that_fails_leaves_the_events_as_they_are_from_then_on() -> None:
    class Failing(Marked):
        def push(self, event: Event) -> Iterator[Event]:
            if event.get("name") == "x":
                raise ValueError("no")
            return super().push(event)

    run = StreamRun()
    run.streaming.transforms = [Marked("first"), Failing("second")]
    run.play(yields(events.custom("w", 0), events.custom("x", 1), events.custom("y", 2)))
    await run.wait()
    assert events_of(run) == [
        STARTED,
        {**events.custom("w", 0), "by": ["first", "second"]},
        events.custom("x", 1),
        events.custom("y", 2),
        FINISHED,
    ]


async def test_a_run_may_be_as_large_as_the_limits_allow_and_no_larger() -> None:
    patch = {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a", "value": 1}]}
    agent = [patch, events.custom("x", 1)]
    emitted = [STARTED, *agent]
    limits = {
        "events_per_run": (len(emitted), f"{len(emitted) - 1} events"),
        "bytes_per_run": (
            size := sum(len(events.encode(event)) for event in emitted),
            f"{size - 1} bytes of events",
        ),
        "patch_operations_per_run": (1, "0 operations of patches"),
    }
    for name, (limit, text) in limits.items():
        fits, exceeds = (StreamRun(limits=Limits(**{name: bound})) for bound in (limit, limit - 1))
        for run in (fits, exceeds):
            run.play(yields(*agent))
            await run.wait()
        assert events_of(fits) == [*emitted, FINISHED], name
        assert events_of(exceeds)[-1] == events.run_error(f"The run exceeded {text}.", "LIMIT_EXCEEDED")


async def test_silence_is_counted_from_the_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    go = asyncio.Event()

    async def agent() -> Stream:
        await go.wait()
        yield events.custom("x", 1)
        await asyncio.Event().wait()

    run = StreamRun(limits=Limits(idle_seconds=10, run_seconds=None))
    run.play(agent())
    now = 0.5
    go.set()
    await turns()
    now = 10.0
    await turns()
    assert not run.ended
    now = 10.5
    await run.wait()
    assert events_of(run)[-1] == events.run_error("The agent stayed silent for too long.", "TIMEOUT")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_an_agent_that_fails_long_after_its_run_is_logged(
    cancelled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    go = asyncio.Event()

    async def agent() -> Stream:
        yield events.custom("x", 1)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await go.wait()
        raise OSError("the disk is full")

    run = StreamRun(limits=Limits(cancel_seconds=0.001))
    run.play(agent())
    await turns()
    run.stop()
    await run.wait()
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "agent a r1")
    task.cancel() if cancelled else go.set()
    await asyncio.wait({task})
    await turns()
    logged = [record for record in caplog.records if record.message.endswith("after its run had ended")]
    assert [record.message for record in logged] == (
        [] if cancelled else ["agent a r1 failed after its run had ended"]
    )
    assert [type(record.exc_info[1]) for record in logged if record.exc_info] == (
        [] if cancelled else [OSError]
    )
    assert all(record.levelno == logging.ERROR for record in logged)
    assert faults == []


async def test_a_run_is_waited_for_a_while_until_it_ends_or_is_about_to() -> None:
    left, stopped, over = StreamRun(), StreamRun(), StreamRun()
    stubborn = asyncio.Event()

    async def agent() -> Stream:
        yield events.custom("x", 1)
        while not stubborn.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await stubborn.wait()

    left.play(hangs())
    stopped.play(agent())
    over.play(yields())
    assert (await over.ends_within(5), await over.stops_within(5)) == (True, True)
    assert (await left.ends_within(0), await left.stops_within(0)) == (False, False)
    stopped.stop()
    assert (await stopped.ends_within(0), await stopped.stops_within(0)) == (False, True)
    left.stop()
    stubborn.set()
    assert (await left.stops_within(5), await left.ends_within(5)) == (True, True)
    await stopped.wait()


async def test_a_failed_run_holds_nothing_of_what_its_agent_had() -> None:
    class Model:
        pass

    held: list[weakref.ref[Model]] = []

    async def agent() -> Stream:
        model = Model()
        held.append(weakref.ref(model))
        yield events.custom("x", 1)
        raise ValueError("no")

    run = StreamRun()
    run.play(agent())
    await run.wait()
    assert isinstance(run.error, ValueError)
    assert held[0]() is None


@pytest.mark.parametrize("stubborn", [False, True])
async def test_an_agent_that_does_not_end_after_its_terminal_event_holds_no_thread(
    stubborn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    go = asyncio.Event()

    async def agent() -> Stream:
        yield FINISHED
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    run = StreamRun(limits=Limits(cancel_seconds=0.001))
    run.play(agent())
    await run.wait()
    assert (run.status, run.error, caplog.messages) == (RunStatus.FINISHED, None, [])
    go.set()
    await turns()


async def test_an_agent_that_returns_when_it_is_stopped_was_stopped() -> None:
    async def agent() -> Stream:
        yield events.custom("x", 1)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    run = StreamRun()
    run.play(agent())
    await turns()
    run.stop()
    await run.wait()
    assert (run.status, events_of(run)[-1]) == (RunStatus.STOPPED, FINISHED)


async def test_an_agent_that_cancels_itself_fails_with_an_error_that_says_so() -> None:
    async def agent() -> Stream:
        yield events.custom("x", 1)
        raise asyncio.CancelledError

    run = StreamRun()
    run.play(agent())
    await run.wait()
    assert str(run.error) == "the agent cancelled itself"


async def test_an_agent_adds_nothing_to_a_run_that_was_lost() -> None:
    async def agent() -> Stream:
        yield events.custom("x", 1)
        try:
            await asyncio.Event().wait()
        finally:
            yield events.custom("late", 2)

    run = StreamRun()
    run.play(agent())
    await turns()
    run.lose([], LOST)
    await run.wait()
    assert [event["type"] for event in events_of(run)] == ["RUN_STARTED", "CUSTOM", "RUN_ERROR"]


async def test_a_call_that_an_error_cut_off_is_answered_with_the_error() -> None:
    run = StreamRun()
    run.play(yields(events.tool_call_start("c", "f"), events.run_error("the model is busy", "BUSY")))
    await run.wait()
    (result,) = [event for event in events_of(run) if event["type"] == "TOOL_CALL_RESULT"]
    assert json.loads(result["content"]) == {
        "status": "error",
        "reason": "missing_terminal_event",
        "message": "the model is busy",
    }
