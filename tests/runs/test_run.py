"""Whatever the agent does, a run begins once, ends once and lets go."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import anyio
import orjson
import pytest
from ag_ui.core import TextMessageContentEvent, TextMessageEndEvent, TextMessageStartEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import AgentError, InvalidRequestError
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.event_log import Entry, Subscription
from copilotkit_runtime_py.runs.run import Run, RunStatus
from tests.examples import examples
from tests.running import StreamRun
from tests.well_formed import check_models, check_stream

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Stream = AsyncIterator[Any]

STARTED = events.run_started("t1", "r1")
FINISHED = events.run_finished("t1", "r1")
SECRET = "sk-secret"


class Watched:
    """A run, and what it told the world."""

    def __init__(self, **options: Any) -> None:
        self.told: list[str] = []
        self.run = StreamRun(self, **options)

    def entries_added(self, run: Run) -> None:
        run.show()

    async def make_room(self, run: Run) -> None: ...

    async def before_end(self, run: Run) -> None:
        assert run is self.run
        assert not run.ended
        check_stream([entry.event for entry in run.log()])
        self.told.append("before")

    async def after_end(self, run: Run) -> None:
        assert run.ended
        self.told.append("after")

    @property
    def events(self) -> list[Event]:
        return [entry.event for entry in self.run.entries]

    async def end(self) -> list[Event]:
        """Waits for the end, checks what holds for every run, and returns the events."""
        await self.run.wait()
        check_stream(self.events)
        assert [orjson.loads(entry.data) for entry in self.run.entries] == self.events
        assert self.told == ["before", "after"]
        assert self.run.ended
        assert self.run.log() == self.run.entries
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if task.get_name().startswith(("run ", "agent "))]
        return self.events


async def whole(stream: Stream, **options: Any) -> tuple[Run, list[Event]]:
    """A run of the stream, from its beginning to its end."""
    watched = Watched(**options)
    watched.run.play(stream)
    return watched.run, await watched.end()


class Steps:
    """Events that two tasks wait for."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.released = False


async def seen_end(run: Run) -> None:
    """Waits until a reader sees the end."""
    told = asyncio.Event()
    subscription = run.subscribe(told.set)
    while not run.ended:
        await told.wait()
        told.clear()
    subscription.close()


async def test_an_agents_events_are_the_run() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        yield events.text_content("m", "x")
        yield events.text_end("m")

    run, told = await whole(agent())
    assert told == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "x"),
        events.text_end("m"),
        FINISHED,
    ]
    assert (run.status, run.error) == (RunStatus.FINISHED, None)
    assert not any(entry.cut for entry in run.entries)


async def test_models_are_events_too() -> None:
    async def agent() -> Stream:
        yield TextMessageStartEvent(message_id="m", role="user")
        yield TextMessageContentEvent(message_id="m", delta="x")
        yield TextMessageEndEvent(message_id="m")

    _, told = await whole(agent())
    assert told[1:-1] == [events.text_start("m", "user"), events.text_content("m", "x"), events.text_end("m")]


@pytest.mark.parametrize("junk", [None, 5, "x", ["type"], {}, {"type": "TEXT_MESSAGE_START"}])
async def test_an_agent_that_yields_no_event_fails(junk: Any) -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        yield junk

    run, told = await whole(agent())
    assert run.status is RunStatus.FAILED
    assert [event["type"] for event in told] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_END",
        "RUN_ERROR",
    ]


@pytest.mark.parametrize(
    "yielded", [[], [events.text_start("m"), events.text_content("m", "x"), events.tool_call_start("c", "f")]]
)
async def test_an_agent_that_raises_fails_without_a_word_of_why(
    yielded: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    async def agent() -> Stream:
        for event in yielded:
            yield event
        raise RuntimeError(SECRET)

    run, told = await whole(agent())
    assert run.status is RunStatus.FAILED
    assert isinstance(run.error, RuntimeError)
    (*before, last) = told
    failed = {"status": "error", "reason": "missing_terminal_event", "message": last["message"]}
    answered = events.tool_call_result("c-result", "c", events.as_text(failed))
    closed = [events.text_end("m"), events.tool_call_end("c"), answered] if yielded else []
    assert before == [STARTED, *yielded, *closed]
    assert [entry.cut for entry in run.entries] == [False] * (1 + len(yielded)) + [True] * len(closed) + [
        False
    ]
    assert SECRET not in repr([entry.data for entry in run.entries])
    prefix, _, error_id = last["message"].removesuffix(").").partition("(error id ")
    assert prefix == "An internal error occurred "
    (logged,) = (entry for entry in caplog.records if entry.levelno >= logging.ERROR)
    assert error_id in logged.getMessage()
    assert logged.exc_info is not None
    assert logged.exc_info[1] is run.error


async def test_in_development_the_exception_is_told() -> None:
    async def agent() -> Stream:
        raise RuntimeError(SECRET)
        yield

    _, told = await whole(agent(), development=True)
    assert told == [STARTED, events.run_error(f"RuntimeError: {SECRET}", "UNKNOWN")]


@pytest.mark.parametrize(
    ("error", "told_as"),
    [
        (AgentError("the model is away"), events.run_error("the model is away")),
        (AgentError("too fast", "RATE_LIMIT"), events.run_error("too fast", "RATE_LIMIT")),
        (InvalidRequestError("no"), events.run_error("no", "BAD_REQUEST")),
    ],
)
async def test_an_error_that_is_meant_for_the_client_is_told(error: Exception, told_as: Event) -> None:
    async def agent() -> Stream:
        raise error
        yield

    run, told = await whole(agent())
    assert told == [STARTED, told_as]
    assert run.error is error


async def test_an_agents_own_error_event_ends_the_run() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        yield events.run_error("boom", "X")
        yield events.text_end("m")

    run, told = await whole(agent())
    assert told == [STARTED, events.text_start("m"), events.text_end("m"), events.run_error("boom", "X")]
    assert [entry.cut for entry in run.entries] == [False, False, True, False]
    assert isinstance(run.error, AgentError)
    assert (run.status, run.error.message, run.error.agent_code) == (RunStatus.FAILED, "boom", "X")


async def test_a_framed_agent_that_hangs_up_fails() -> None:
    async def agent() -> Stream:
        yield STARTED
        yield events.text_start("m")

    run, told = await whole(agent(), strict_stream=True)
    error = events.run_error("Run ended without emitting a terminal event", "INCOMPLETE_STREAM")
    assert told == [STARTED, events.text_start("m"), events.text_end("m"), error]
    assert run.status is RunStatus.FAILED


async def test_an_agent_works_on_after_its_end_and_nobody_waits_for_it() -> None:
    steps = Steps()

    async def agent() -> Stream:
        yield FINISHED
        steps.reached.set()
        await steps.go.wait()
        yield events.text_start("late")
        steps.released = True

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    await seen_end(watched.run)
    assert watched.events == [STARTED, FINISHED]
    steps.go.set()
    assert await watched.end() == [STARTED, FINISHED]
    assert steps.released


async def test_an_agent_that_raises_after_its_end_has_ended_well(caplog: pytest.LogCaptureFixture) -> None:
    async def agent() -> Stream:
        yield FINISHED
        raise RuntimeError(SECRET)

    run, told = await whole(agent())
    assert told == [STARTED, FINISHED]
    assert (run.status, run.error) == (RunStatus.FINISHED, None)
    assert "the agent failed after the end of run r1" in caplog.text


async def test_an_agent_that_hangs_after_its_end_is_let_go() -> None:
    async def agent() -> AsyncGenerator[Event, None]:
        yield FINISHED
        await asyncio.Event().wait()

    run, told = await whole(agent(), limits=Limits(cancel_seconds=0.01))
    assert told == [STARTED, FINISHED]
    assert run.status is RunStatus.FINISHED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(3)])
async def test_an_agent_that_cancels_itself_or_exits_fails_alone(error: BaseException) -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        raise error

    run, told = await whole(agent())
    assert run.status is RunStatus.FAILED
    assert [event["type"] for event in told] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_END",
        "RUN_ERROR",
    ]


async def test_an_agent_that_is_no_stream_fails() -> None:
    run, told = await whole(5)  # type: ignore[arg-type]
    assert run.status is RunStatus.FAILED
    assert [event["type"] for event in told] == ["RUN_STARTED", "RUN_ERROR"]


async def test_a_stop_cancels_the_agent_and_waits_for_it() -> None:
    steps = Steps()

    async def agent() -> Stream:
        yield events.text_start("m")
        steps.reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.released = True

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    watched.run.stop()
    watched.run.stop()
    assert await watched.end() == [STARTED, events.text_start("m"), events.text_end("m"), FINISHED]
    assert steps.released
    assert (watched.run.status, watched.run.error) == (RunStatus.STOPPED, None)
    watched.run.stop()
    assert watched.run.status is RunStatus.STOPPED


async def test_a_run_may_be_stopped_before_it_began() -> None:
    async def agent() -> Stream:
        raise AssertionError("not even started")
        yield

    watched = Watched()
    watched.run.play(agent())
    watched.run.stop()
    assert await watched.end() == [STARTED, FINISHED]
    assert watched.run.status is RunStatus.STOPPED


async def test_a_stop_after_the_end_changes_nothing() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")

    watched = Watched()
    watched.run.play(agent())
    told = list(await watched.end())
    watched.run.stop()
    assert (watched.events, watched.run.status, watched.run.stopping) == (told, RunStatus.FINISHED, False)


async def test_an_agent_that_goes_on_after_a_stop_is_not_heard() -> None:
    steps = Steps()

    async def agent() -> Stream:
        try:
            yield events.text_start("m")
            while True:
                try:
                    steps.reached.set()
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    yield events.text_content("m", "not yet!")
        finally:
            steps.released = True

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    watched.run.stop()
    assert await watched.end() == [STARTED, events.text_start("m"), events.text_end("m"), FINISHED]
    assert steps.released


async def test_an_agent_that_fails_while_it_is_stopped_was_stopped() -> None:
    steps = Steps()

    async def agent() -> Stream:
        steps.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError(SECRET) from None
        yield

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    watched.run.stop()
    assert await watched.end() == [STARTED, FINISHED]
    assert (watched.run.status, watched.run.error) == (RunStatus.STOPPED, None)


async def test_a_run_ends_without_an_agent_that_does_not_let_go() -> None:
    steps = Steps()

    async def agent() -> Stream:
        yield events.text_start("m")
        steps.reached.set()
        while not steps.go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await steps.go.wait()
        yield events.text_content("m", "late")
        yield FINISHED
        steps.released = True

    watched = Watched(limits=Limits(cancel_seconds=0.01))
    watched.run.play(agent())
    await steps.reached.wait()
    watched.run.stop()
    await watched.run.wait()
    told = [STARTED, events.text_start("m"), events.text_end("m"), FINISHED]
    assert watched.events == told
    (agent_task,) = (task for task in asyncio.all_tasks() if task.get_name() == "agent a r1")
    steps.go.set()
    await asyncio.wait({agent_task})
    assert watched.events == told
    assert watched.run.status is RunStatus.STOPPED
    assert await watched.end() == told


async def test_an_agent_that_never_pauses_leaves_the_others_their_turns() -> None:
    turns = 0
    agent_yielded = 0

    async def agent() -> Stream:
        nonlocal agent_yielded
        yield events.text_start("m")
        while True:
            agent_yielded += 1
            yield events.text_content("m", "x")

    watched = Watched()
    watched.run.play(agent())
    while turns < 10:
        turns += 1
        await asyncio.sleep(0)
    assert agent_yielded < 10 * 200
    watched.run.stop()
    assert (await watched.end())[-1] == FINISHED


async def test_events_that_take_long_leave_the_others_a_turn_after_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    publish_at_once = Run._publish
    turns = 0
    agent_yielded = 0

    def publish(self: Run, out: list[Event]) -> None:
        publish_at_once(self, out)
        clock.now += 0.02

    async def agent() -> Stream:
        nonlocal agent_yielded
        while True:
            agent_yielded += 1
            yield events.custom("x", 1)

    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.time)
    monkeypatch.setattr(Run, "_publish", publish)
    watched = Watched()
    watched.run.play(agent())
    while turns < 10:
        turns += 1
        await asyncio.sleep(0)
    monkeypatch.undo()
    assert 0 < agent_yielded <= 10
    watched.run.stop()
    assert (await watched.end())[-1] == FINISHED


class Clock:
    """The loop's time, which stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.time)
    return clock


async def test_an_agent_that_stays_silent_times_out(clock: Clock) -> None:
    steps = Steps()

    async def agent() -> Stream:
        yield events.text_start("m")
        for _ in range(5):
            await steps.go.wait()
            steps.go.clear()
            yield events.text_content("m", "x")
            steps.reached.set()
        await asyncio.Event().wait()

    watched = Watched(limits=Limits(idle_seconds=10, run_seconds=1000))
    watched.run.play(agent())
    for _ in range(5):
        clock.now += 9
        steps.reached.clear()
        steps.go.set()
        await steps.reached.wait()
    assert not watched.run.ended
    clock.now += 10
    error = events.run_error("The agent stayed silent for too long.", "TIMEOUT")
    assert (await watched.end())[-2:] == [events.text_end("m"), error]
    assert watched.run.status is RunStatus.FAILED


async def test_an_agent_that_talks_for_too_long_times_out(clock: Clock) -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        while True:
            clock.now += 9
            yield events.text_content("m", "x")

    _, told = await whole(agent(), limits=Limits(idle_seconds=10, run_seconds=1000))
    assert told[-1] == events.run_error("The agent took too long.", "TIMEOUT")


async def test_without_bounds_an_agent_may_take_its_time(clock: Clock) -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        clock.now += 1e9
        await asyncio.sleep(0)
        yield events.text_content("m", "x")

    run, _ = await whole(agent(), limits=Limits(idle_seconds=None, run_seconds=None))
    assert run.status is RunStatus.FINISHED


async def test_a_stubborn_agent_that_timed_out_is_not_heard() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield events.text_content("m", "not yet!")

    _, told = await whole(agent(), limits=Limits(idle_seconds=0.02))
    assert [event["type"] for event in told[1:]] == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "RUN_ERROR"]


async def test_a_run_has_a_bounded_number_of_events() -> None:
    async def agent() -> Stream:
        while True:
            yield events.custom("x", 1)

    run, told = await whole(agent(), limits=Limits(events_per_run=10))
    assert told[-1] == events.run_error("The run exceeded 10 events.", "LIMIT_EXCEEDED")
    assert (len(told), run.status) == (12, RunStatus.FAILED)


async def test_a_run_has_a_bounded_size() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")
        while True:
            yield events.text_content("m", "x" * 100)

    run, told = await whole(agent(), limits=Limits(bytes_per_run=1000))
    assert told[-1] == events.run_error("The run exceeded 1000 bytes of events.", "LIMIT_EXCEEDED")
    assert sum(len(entry.data) for entry in run.entries) < 1500


async def test_an_agent_is_closed_before_its_run_ends() -> None:
    steps = Steps()

    async def agent() -> Stream:
        try:
            while True:
                yield events.custom("x", 1)
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            steps.released = True

    await whole(agent(), limits=Limits(events_per_run=10))
    assert steps.released


async def test_a_run_that_is_over_is_forgotten() -> None:
    async def agent() -> Stream:
        yield events.text_start("m")

    watched = Watched()
    watched.run.play(agent())
    await watched.end()
    forgotten = weakref.ref(watched.run)
    del watched
    gc.collect()
    assert forgotten() is None


@pytest.mark.parametrize("step", ["before_end", "after_end"])
async def test_an_end_that_is_not_recorded_is_an_end(step: str, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(run: Run) -> None:
        raise RuntimeError("the disk is full")

    async def agent() -> Stream:
        yield events.text_start("m")

    watched = Watched()
    setattr(watched, step, fail)
    watched.run.play(agent())
    await watched.run.wait()
    check_stream(watched.events)
    assert watched.run.ended
    assert "the disk is full" in caplog.text


async def test_cancelling_the_wait_leaves_the_run_alone() -> None:
    steps = Steps()

    async def agent() -> Stream:
        steps.reached.set()
        await steps.go.wait()
        yield events.custom("x", 1)

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    with anyio.move_on_after(0):
        await watched.run.wait()
    assert watched.run.status is RunStatus.RUNNING
    steps.go.set()
    assert await watched.end() == [STARTED, events.custom("x", 1), FINISHED]


async def test_a_loop_that_shuts_down_ends_the_run() -> None:
    steps = Steps()

    async def agent() -> Stream:
        yield events.text_start("m")
        steps.reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            steps.released = True

    watched = Watched()
    watched.run.play(agent())
    await steps.reached.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_name().startswith(("run ", "agent ")):
            task.cancel()
    assert (await watched.end())[-1] == FINISHED
    assert steps.released


def follow(run: Run, seen: list[Entry], position: int = 0) -> Subscription:
    """A reader that takes what there is whenever it is told."""

    def wake() -> None:
        seen.extend(subscription.take())

    subscription = run.subscribe(wake, position)
    wake()
    return subscription


async def test_readers_who_join_anywhere_see_the_same_bytes() -> None:
    count = 30
    run_made = asyncio.Event()
    readers: list[list[Entry]] = []
    watched = Watched()

    async def agent() -> Stream:
        await run_made.wait()
        for n in range(count):
            late: list[Entry] = []
            readers.append(late)
            follow(watched.run, late)
            yield events.custom("x", n)

    first: list[Entry] = []
    watched.run.play(agent())
    follow(watched.run, first)
    run_made.set()
    await watched.end()
    after: list[Entry] = []
    subscription = follow(watched.run, after)
    assert len(first) == count + 2
    assert all([e.data for e in reader] == [e.data for e in first] for reader in [*readers, after])
    assert subscription.exhausted


async def test_a_reader_may_begin_anywhere() -> None:
    async def agent() -> Stream:
        yield events.custom("x", 1)
        yield events.custom("x", 2)

    run, told = await whole(agent())
    seen: list[Entry] = []
    subscription = follow(run, seen, 2)
    assert [entry.event for entry in seen] == told[2:]
    assert (subscription.position, subscription.exhausted) == (4, True)


async def test_a_reader_is_told_of_every_event_and_of_the_end() -> None:
    steps = Steps()
    woken = 0

    async def agent() -> Stream:
        yield events.custom("x", 1)
        steps.reached.set()
        await steps.go.wait()

    def wake() -> None:
        nonlocal woken
        woken += 1

    watched = Watched()
    subscription = watched.run.subscribe(wake)
    watched.run.play(agent())
    await steps.reached.wait()
    assert woken == 1
    assert [entry.event for entry in subscription.take()] == [STARTED, events.custom("x", 1)]
    assert not subscription.exhausted
    steps.go.set()
    await watched.end()
    assert woken == 2
    assert [entry.event for entry in subscription.take()] == [FINISHED]
    assert subscription.exhausted


async def test_a_reader_who_left_is_not_told_any_more() -> None:
    steps = Steps()
    woken: list[str] = []

    def wake() -> None:
        woken.append("wake")

    async def agent() -> Stream:
        yield events.custom("x", 1)
        steps.reached.set()
        await steps.go.wait()

    watched = Watched()
    leaver, stayer = watched.run.subscribe(wake), watched.run.subscribe(wake)
    watched.run.play(agent())
    await steps.reached.wait()
    leaver.close()
    leaver.close()
    steps.go.set()
    await watched.end()
    assert woken == ["wake"] * 3
    stayer.close()


async def test_readers_may_come_and_go_while_they_are_told() -> None:
    watched = Watched()
    seen: list[Entry] = []

    def invite() -> None:
        for _ in range(10):
            follow(watched.run, [])
        subscription.close()
        follow(watched.run, seen)

    subscription = watched.run.subscribe(invite)

    async def agent() -> Stream:
        yield events.custom("x", 1)

    watched.run.play(agent())
    await watched.end()
    assert [entry.data for entry in seen] == [entry.data for entry in watched.run.entries]
    assert watched.run.status is RunStatus.FINISHED


async def test_what_an_agent_sets_in_its_context_stays_there() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def agent(value: str) -> Stream:
        seen.append(variable.get())
        variable.set(value)
        yield events.custom("x", 1)
        seen.append(variable.get())

    await whole(agent("one"))
    await whole(agent("two"))
    assert seen == ["unset", "one", "unset", "two"]
    assert variable.get() == "unset"


async def test_an_event_in_the_log_is_not_the_agents_any_more() -> None:
    steps = Steps()

    async def agent() -> Stream:
        state: dict[str, Any] = {"items": []}
        event = events.text_content("m", "")
        yield events.text_start("m")
        for n in range(3):
            state["items"].append(n)
            yield events.state_snapshot(state)
            event["delta"] = str(n)
            yield event
        steps.released = True

    _, told = await whole(agent())
    assert [e["snapshot"]["items"] for e in told if e["type"] == "STATE_SNAPSHOT"] == [[0], [0, 1], [0, 1, 2]]
    assert [e["delta"] for e in told if e["type"] == "TEXT_MESSAGE_CONTENT"] == ["0", "1", "2"]


Act = Callable[[], Any]
ACTS: dict[str, Any] = {
    "text": events.text_start("m"),
    "delta": events.text_content("m", "x"),
    "end": events.text_end("m"),
    "call": events.tool_call_start("c", "f"),
    "step": events.step_started("s"),
    "chunk": {"type": "TEXT_MESSAGE_CHUNK", "messageId": "n", "delta": "x"},
    "finished": {"type": "RUN_FINISHED"},
    "error": events.run_error("boom"),
    "junk": 5,
}


@given(
    st.lists(st.sampled_from([*ACTS, "raise", "cancel", "pause", "stop", "swallow"]), max_size=12),
    st.booleans(),
)
@settings(max_examples=examples(150))
def test_any_agent_makes_a_well_formed_run(acts: list[str], strict_stream: bool) -> None:
    async def agent(run: Run) -> Stream:
        for act in acts:
            if act in ACTS:
                yield ACTS[act]
            elif act == "raise":
                raise RuntimeError(SECRET)
            elif act == "cancel":
                raise asyncio.CancelledError
            elif act == "stop":
                run.stop()
            else:
                with contextlib.suppress(asyncio.CancelledError if act == "swallow" else KeyError):
                    await asyncio.sleep(0)

    async def main() -> None:
        watched = Watched(strict_stream=strict_stream, limits=Limits(cancel_seconds=0.05))
        watched.run.play(agent(watched.run))
        check_models(await watched.end())
        assert SECRET not in repr([entry.data for entry in watched.run.entries])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ending", "answer"),
    [
        ("stop", {"status": "stopped", "reason": "stop_requested", "message": "Run stopped by user"}),
        ("fail", {"status": "error", "reason": "missing_terminal_event", "message": "no model"}),
    ],
)
async def test_a_run_that_is_cut_short_answers_the_calls_that_have_no_result(
    ending: str, answer: dict[str, str]
) -> None:
    waiting = asyncio.Event()

    async def agent() -> Stream:
        for id in ("answered", "complete", "open"):
            yield events.tool_call_start(id, "f")
            if id != "open":
                yield events.tool_call_end(id)
        yield events.tool_call_result("r", "answered", "42")
        if ending == "fail":
            raise AgentError("no model")
        waiting.set()
        await asyncio.Event().wait()

    watched = Watched()
    run = watched.run
    run.play(agent())
    if ending == "stop":
        await waiting.wait()
        run.stop()
    told = await watched.end()
    assert told[7:-1] == [
        events.tool_call_end("open"),
        events.tool_call_result("complete-result", "complete", events.as_text(answer)),
        events.tool_call_result("open-result", "open", events.as_text(answer)),
    ]
    assert [entry.cut for entry in run.entries][-4:] == [ending == "fail", True, True, False]
