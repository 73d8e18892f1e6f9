"""The order in which a run ends, as the store, its readers, its agent, the next run and the hooks see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.hooks import AfterRequest, RequestFailed, StopGeneration
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.state_store.base import AppendResult, RunEnding, RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.run_request import run_request
from tests.running import StreamRun, Unrecorded
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
Stream = AsyncIterator[Any]


def asked(run_id: str = "r1") -> RunAgentInput:
    body = {"threadId": "t1", "runId": run_id, "messages": [], "tools": [], "context": [], "state": {}}
    return RunAgentInput.model_validate({**body, "forwardedProps": {}})


class Diary(MemoryStateStore):
    """A store that writes down when it gets the end of a run, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[str] = []

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        await asyncio.sleep(0)
        result = await super().append(run, position, events, ending=ending)
        self.entries.append(f"{run.id} recorded")
        return result

    def hooks(self) -> dict[str, Any]:
        async def tell(event: AfterRequest | StopGeneration | RequestFailed) -> None:
            self.entries.append(f"{type(event).__name__}")

        return {"on_after_request": tell, "on_stop_generation": tell, "on_error": tell}


class Reader:
    """A reader that writes down the types of the last two events when it has them."""

    def __init__(self, run: Run, entries: list[str]) -> None:
        self.done = asyncio.Event()
        self._entries = entries
        self._seen: list[str] = []
        self._subscription = run.subscribe(self._wake)

    def _wake(self) -> None:
        self._seen += [entry.event["type"] for entry in self._subscription.take()]
        if self._subscription.exhausted:
            self._entries.append(f"seen {' '.join(self._seen[-2:])}")
            self.done.set()


async def test_a_run_is_recorded_then_shown_then_let_go_then_announced_and_the_next_one_begins() -> None:
    diary, go = Diary(), asyncio.Event()

    class Agent(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
            diary.entries.append(f"{input.run_id} begins")
            yield events.text_start("m1")
            if input.run_id == "r1":
                yield events.run_finished("t1", "r1")
                await go.wait()
                diary.entries.append("agent done")

    async def after(event: AfterRequest) -> None:
        diary.entries.append(f"hook for {event.request.run_id}")

    runtime = CopilotRuntime(
        {"a": Agent()}, state_store=diary, on_after_request=after, on_busy_thread="enqueue"
    )
    first = await runtime.start("a", asked(), ANN)
    reader = Reader(first, diary.entries)
    second = asyncio.create_task(runtime.start("a", asked("r2"), ANN))
    await reader.done.wait()
    assert diary.entries == ["r1 begins", "r1 recorded", "seen TEXT_MESSAGE_END RUN_FINISHED"]
    go.set()
    await (await second).wait()
    assert diary.entries[3:5] == ["agent done", "hook for r1"]
    assert diary.entries[5:] == ["r2 begins", "r2 recorded", "hook for r2"]


async def test_the_thread_is_free_when_the_hook_is_called() -> None:
    async def hello(input: RunAgentInput) -> Stream:
        yield events.custom("x", 1)

    async def after(event: AfterRequest) -> None:
        free.append(runtime.active_run("t1", ANN) is None and not await runtime.is_running("t1", ANN))

    free: list[bool] = []
    runtime = CopilotRuntime({"a": hello}, on_after_request=after)
    await (await runtime.start("a", asked(), ANN)).wait()
    assert free == [True]


@pytest.mark.parametrize(
    ("ending", "seen", "hook"),
    [
        ("stop", "TEXT_MESSAGE_END RUN_FINISHED", "StopGeneration"),
        ("fail", "TEXT_MESSAGE_END RUN_ERROR", "RequestFailed"),
        ("raise", "TEXT_MESSAGE_END RUN_ERROR", "RequestFailed"),
    ],
)
async def test_a_run_that_is_cut_short_ends_in_the_same_order(ending: str, seen: str, hook: str) -> None:
    diary, open_message = Diary(), asyncio.Event()

    async def agent(input: RunAgentInput) -> Stream:
        try:
            yield events.text_start("m1")
            open_message.set()
            if ending == "raise":
                raise RuntimeError("no")
            await asyncio.Event().wait()
        finally:
            diary.entries.append("agent done")

    runtime = CopilotRuntime({"a": agent}, state_store=diary, **diary.hooks())
    run = await runtime.start("a", asked(), ANN)
    Reader(run, diary.entries)
    await open_message.wait()
    if ending == "stop":
        run.stop()
    elif ending == "fail":
        run.fail(AgentError("too long"))
    await run.wait()
    assert diary.entries == ["agent done", "r1 recorded", f"seen {seen}", hook]
    check_stream([entry.event for entry in run.entries])


@pytest.mark.parametrize("ending", ["stop", "fail"])
async def test_an_agent_that_ignored_its_cancellation_is_not_waited_for_again(ending: str) -> None:
    cancelled, reached, go = 0, asyncio.Event(), asyncio.Event()

    async def stubborn() -> Stream:
        nonlocal cancelled
        yield events.text_start("m1")
        reached.set()
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                cancelled += 1

    run = StreamRun(limits=Limits(cancel_seconds=0.01))
    run.play(stubborn())
    await reached.wait()
    if ending == "stop":
        run.stop()
    else:
        run.fail(AgentError("too long"))
    await run.wait()
    assert cancelled == 1
    go.set()
    await asyncio.sleep(0)
    check_stream([entry.event for entry in run.entries])


async def test_an_agent_that_does_not_end_after_its_last_event_is_cancelled_once() -> None:
    cancelled = 0

    async def agent() -> Stream:
        nonlocal cancelled
        yield events.run_finished("t1", "r1")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled += 1

    run = StreamRun(limits=Limits(cancel_seconds=0.01))
    run.play(agent())
    await run.wait()
    assert (cancelled, run.status) == (1, RunStatus.FINISHED)


async def test_an_event_after_the_terminal_one_is_not_emitted() -> None:
    async def agent() -> Stream:
        yield events.run_finished("t1", "r1")
        yield events.text_start("late")

    run = StreamRun()
    run.play(agent())
    await run.wait()
    assert [entry.event["type"] for entry in run.entries] == ["RUN_STARTED", "RUN_FINISHED"]


@pytest.mark.parametrize("exit", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["agent", "before_end", "after_end"])
async def test_what_would_end_the_process_ends_the_run_only(exit: type[BaseException], place: str) -> None:
    class Exiting(Unrecorded):
        async def before_end(self, run: Run) -> None:
            if place == "before_end":
                raise exit

        async def after_end(self, run: Run) -> None:
            if place == "after_end":
                raise exit

    async def agent() -> Stream:
        yield events.text_start("m1")
        if place == "agent":
            raise exit

    run = StreamRun(Exiting())
    run.play(agent())
    await run.wait()
    check_stream([entry.event for entry in run.entries])
    assert run.status is (RunStatus.FAILED if place == "agent" else RunStatus.FINISHED)


async def test_an_error_without_a_text_ends_the_run_as_well() -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise ValueError

    async def agent() -> Stream:
        yield events.text_start("m1")
        raise Unspeakable

    run = StreamRun(development=True)
    run.play(agent())
    await run.wait()
    told: list[Event] = [entry.event for entry in run.entries]
    check_stream(told)
    assert told[-1] == events.run_error("An internal error occurred.", "UNKNOWN")


async def test_an_agent_that_cannot_forget_keeps_no_hook_from_being_called() -> None:
    class Forgetless(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
            yield events.custom("x", 1)

        async def forget(self, thread_id: str, context: RequestContext) -> None:
            raise RuntimeError("no")

    diary = Diary()
    runtime = CopilotRuntime({"a": Forgetless()}, **diary.hooks())
    run = await runtime.start_run(await run_request(runtime, "a", asked(), ANN, recorded=False))
    await run.wait()
    assert diary.entries == ["AfterRequest"]
    assert runtime.active_run("t1", ANN) is None
