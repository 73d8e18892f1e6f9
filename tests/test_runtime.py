"""The runtime: who runs, for whom, and what the hooks and the store learn of it."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.versions import SentMessage
from copilotkit_runtime_py.context import ANONYMOUS, RequestContext
from copilotkit_runtime_py.errors import (
    AgentNotFoundError,
    CopilotKitError,
    InternalError,
    InvalidRequestError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from copilotkit_runtime_py.hooks import AfterRequest, BeforeRequest, RequestFailed, StopGeneration
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.providers.base import AgentSnapshot, Provider
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.runtime import CopilotRuntime
from copilotkit_runtime_py.state_store.base import AgentState, AppendResult, RunEnding, RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.run_request import run_request
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Stream = AsyncIterator[Event]

ANN = RequestContext(owner="ann")
BOB = RequestContext(owner="bob")
USER = {"id": "u1", "role": "user", "content": "hi"}
TOOLS = [{"name": name, "description": "", "parameters": {}} for name in "xy"]


def asked(thread_id: str = "t1", run_id: str = "r1", **fields: Any) -> RunAgentInput:
    body = {"messages": [USER], "tools": [], "context": [], "state": {}, "forwardedProps": {}, **fields}
    return RunAgentInput.model_validate({"threadId": thread_id, "runId": run_id, **body})


async def hello(input: RunAgentInput) -> Stream:
    """An agent that says hello."""
    yield events.text_start("m1")
    yield events.text_content("m1", "Hello")
    yield events.text_content("m1", "!")
    yield events.text_end("m1")


class Waiting:
    """An agent that waits in the middle of its answer."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.released = 0

    async def __call__(self, input: RunAgentInput) -> Stream:
        try:
            yield events.text_start("m1")
            self.reached.set()
            await self.go.wait()
            yield events.text_content("m1", "x")
        finally:
            self.released += 1


class Remembering(Provider):
    """A provider with a memory of its own."""

    def __init__(self) -> None:
        self.memory: dict[str, AgentSnapshot] = {}
        self.closed = 0

    async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
        yield events.text_start("m1")

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        return self.memory.get(thread_id)

    async def aclose(self) -> None:
        self.closed += 1


def told(run: Run) -> list[Event]:
    return [entry.event for entry in run.entries]


async def whole(
    runtime: CopilotRuntime, input: RunAgentInput | None = None, context: RequestContext = ANN
) -> Run:
    """A run of the default agent, from its beginning to its end."""
    run = await runtime.start(None, input or asked(), context)
    await run.wait()
    return run


async def test_an_unknown_agent_leaves_the_others_alone() -> None:
    runtime = CopilotRuntime({"a": hello, "b": hello})
    for name in ("a", "b", "a"):
        with pytest.raises(AgentNotFoundError):
            await runtime.start("ghost", asked(), ANN)
        run = await runtime.start(name, asked(), ANN)
        await run.wait()
        assert (run.agent_name, run.status) == (name, RunStatus.FINISHED)


async def test_an_agent_gets_the_input_and_the_request() -> None:
    got: list[tuple[RunAgentInput, RequestContext]] = []

    async def agent(input: RunAgentInput, context: RequestContext) -> Stream:
        got.append((input, context))
        yield events.custom("x", 1)

    input = asked(state={"a": 1}, forwardedProps={"b": 2})
    await whole(CopilotRuntime({"a": agent}), input)
    assert got == [(input, ANN)]


async def test_a_busy_thread_refuses_another_run() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent}, limits=Limits(busy_seconds=0))
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    with pytest.raises(ThreadBusyError):
        await runtime.start(None, asked(run_id="r2"), ANN)
    other = await runtime.start(None, asked("t2"), ANN)
    agent.go.set()
    await run.wait()
    await other.wait()
    again = await whole(runtime, asked(run_id="r1"))
    assert (run.status, other.status, again.status, again.number) == (
        RunStatus.FINISHED,
        RunStatus.FINISHED,
        RunStatus.FINISHED,
        2,
    )


async def test_a_request_that_is_faster_than_the_news_of_a_stop_waits_for_it() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent}, limits=Limits(busy_seconds=30))
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    waiting = asyncio.create_task(runtime.start(None, asked(run_id="r2"), ANN))
    await asyncio.sleep(0)
    assert await runtime.stop("t1", ANN)
    agent.go.set()
    second = await waiting
    await second.wait()
    assert (run.status, second.status, second.number) == (RunStatus.STOPPED, RunStatus.FINISHED, 2)


async def test_of_two_requests_at_once_one_runs() -> None:
    async def suspend(event: BeforeRequest) -> None:
        await asyncio.sleep(0)

    agent = Waiting()
    runtime = CopilotRuntime({"a": agent}, on_before_request=suspend)
    started = await asyncio.gather(
        *(runtime.start(None, asked(run_id=f"r{n}"), ANN) for n in range(5)), return_exceptions=True
    )
    assert Counter(type(one) for one in started) == {Run: 1, ThreadBusyError: 4}
    await runtime.aclose()


async def test_a_run_on_a_thread_that_is_stopping_waits_for_its_turn() -> None:
    order: list[str] = []

    async def agent(input: RunAgentInput) -> Stream:
        order.append(f"begin {input.run_id}")
        try:
            yield events.text_start("m1")
            if input.run_id == "r1":
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            order.append(f"end {input.run_id}")

    runtime = CopilotRuntime({"a": agent})
    first = await runtime.start(None, asked(run_id="r1"), ANN)
    await asyncio.sleep(0)
    assert await runtime.stop("t1", ANN)
    second = await whole(runtime, asked(run_id="r2"))
    assert order == ["begin r1", "end r1", "begin r2", "end r2"]
    assert (first.status, second.status) == (RunStatus.STOPPED, RunStatus.FINISHED)


async def test_a_new_run_may_take_the_place_of_the_old_one() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent}, on_busy_thread="supersede")
    first = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    agent.go.set()
    second = await whole(runtime, asked(run_id="r2"))
    assert (first.status, second.status, agent.released) == (RunStatus.STOPPED, RunStatus.FINISHED, 2)


async def test_a_new_run_may_wait_for_the_old_one() -> None:
    async def suspend(event: BeforeRequest) -> None:
        await asyncio.sleep(0)

    agent = Waiting()
    runtime = CopilotRuntime({"a": agent}, on_busy_thread="enqueue", on_before_request=suspend)
    first = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    later = [asyncio.create_task(whole(runtime, asked(run_id=f"r{n}"))) for n in (2, 3, 4)]
    agent.go.set()
    runs = [first, *await asyncio.gather(*later)]
    assert [(run.number, run.status) for run in runs] == [(n, RunStatus.FINISHED) for n in (1, 2, 3, 4)]


async def test_stopping_stops_the_run_and_nothing_else() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    run = await runtime.start(None, asked(), ANN)
    other = await runtime.start(None, asked("t2"), ANN)
    await agent.reached.wait()
    assert not await runtime.stop("t1", BOB)
    assert not await runtime.stop("t9", ANN)
    assert not await runtime.stop("t1", ANN, run_id="r9")
    assert await runtime.stop("t1", ANN, run_id="r1")
    assert not await runtime.stop("t1", ANN)
    await run.wait()
    assert not await runtime.stop("t1", ANN)
    agent.go.set()
    await other.wait()
    assert (run.status, other.status, agent.released) == (RunStatus.STOPPED, RunStatus.FINISHED, 2)


async def test_another_owners_thread_is_not_there() -> None:
    agent = Remembering()
    runtime = CopilotRuntime({"a": agent})
    await whole(runtime, context=ANN)
    agent.memory["t1"] = AgentSnapshot(state={"secret": 1})
    with pytest.raises(ThreadNotFoundError):
        await runtime.start(None, asked(), BOB)
    with pytest.raises(ThreadNotFoundError):
        await runtime.start_ephemeral(await run_request(runtime, None, asked(), BOB))
    with pytest.raises(ThreadNotFoundError):
        await runtime.delete_thread("t1", BOB)
    assert await runtime.load_agent_state("a", "t1", BOB) is None
    seen = await runtime.connect("a", "t1", BOB)
    assert (seen.logs, seen.snapshot, seen.run) == ([], None, None)
    mine = await runtime.load_agent_state("a", "t1", ANN)
    assert mine is not None
    assert mine.state == {"secret": 1}


async def test_another_owners_run_cannot_be_read_or_stopped() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    assert (await runtime.connect("a", "t1", BOB)).run is None
    assert runtime.active_run("t1", BOB) is None
    assert runtime.active_run("t1", ANN) is run
    with pytest.raises(ThreadNotFoundError):
        await runtime.start(None, asked(), BOB)
    assert not run.stopping
    await runtime.aclose()


async def test_what_a_run_left_is_loaded() -> None:
    async def agent(input: RunAgentInput) -> Stream:
        yield events.state_delta([{"op": "add", "path": "/b", "value": 2}])
        for event in [event async for event in hello(input)]:
            yield event

    runtime = CopilotRuntime({"a": agent, "b": hello})
    run = await runtime.start("a", asked(state={"a": 1}), ANN)
    await run.wait()
    left = AgentState(
        state={"a": 1, "b": 2}, messages=[USER, {"id": "m1", "role": "assistant", "content": "Hello!"}]
    )
    assert await runtime.load_agent_state("a", "t1", ANN) == left
    assert await runtime.load_agent_state("b", "t1", ANN) is None
    assert await runtime.load_agent_state("a", "t9", ANN) is None
    with pytest.raises(AgentNotFoundError):
        await runtime.load_agent_state("ghost", "t1", ANN)


async def test_an_agents_own_memory_counts_more() -> None:
    agent = Remembering()
    runtime = CopilotRuntime({"a": agent})
    await whole(runtime)
    kept = await runtime.load_agent_state("a", "t1", ANN)
    assert kept is not None
    assert kept.messages[0] == USER
    said = {"id": "m9", "role": "assistant", "content": "elsewhere"}
    memory = AgentSnapshot(
        state={"x": 1}, messages=[USER, said], interrupts=[{"id": "i", "reason": "x"}], owner="ann"
    )
    agent.memory = {"t1": memory, "t2": memory}
    expected = AgentState(state=memory.state, messages=memory.messages, interrupts=memory.interrupts)
    assert await runtime.load_agent_state("a", "t1", ANN) == expected
    assert await runtime.load_agent_state("a", "t2", ANN) == expected


@pytest.mark.parametrize("owner", [None, "bob"])
async def test_what_an_agent_remembers_is_not_a_users_before_the_store_or_the_agent_says_so(
    owner: str | None,
) -> None:
    agent = Remembering()
    agent.memory = {"t1": AgentSnapshot(state={"secret": 1}, messages=[USER], owner=owner)}
    runtime = CopilotRuntime({"a": agent})
    assert await runtime.load_agent_state("a", "t1", ANN) is None
    assert (await runtime.connect("a", "t1", ANN)).snapshot is None
    with pytest.raises(ThreadNotFoundError):
        await runtime.start(None, asked(), ANN)
    with pytest.raises(ThreadNotFoundError):
        await runtime.start_ephemeral(await run_request(runtime, None, asked(), ANN))
    theirs = RequestContext(owner=owner or ANONYMOUS)
    assert await runtime.load_agent_state("a", "t1", theirs) is not None
    await whole(runtime, context=theirs)


async def test_a_run_that_was_stopped_leaves_what_was_said() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    await runtime.stop("t1", ANN)
    await run.wait()
    assert await runtime.load_agent_state("a", "t1", ANN) == AgentState(
        messages=[USER, {"id": "m1", "role": "assistant", "content": ""}]
    )


async def test_the_first_event_tells_what_the_run_was_asked() -> None:
    runtime = CopilotRuntime({"a": hello})
    first = await whole(runtime)
    second = await whole(runtime, asked(messages=[USER, {"id": "u2", "role": "user", "content": "more"}]))
    assert [told(run)[0]["input"]["messages"] for run in (first, second)] == [
        [USER],
        [{"id": "u2", "role": "user", "content": "more"}],
    ]


async def test_the_first_event_tells_nothing_of_the_servers_own_properties() -> None:
    runtime = CopilotRuntime({"a": hello}, properties={"key": "secret"})
    run = await whole(runtime, asked(forwardedProps={"plan": "pro", "key": "secret"}))
    assert told(run)[0]["input"]["forwardedProps"] == {"plan": "pro"}


async def test_the_first_event_tells_messages_as_they_were_sent() -> None:
    runtime = CopilotRuntime({"a": hello})
    sent = {**USER, "content": [{"type": "binary", "mimeType": "image/png", "url": "https://a/b"}]}
    run = await runtime.start_run(
        await run_request(runtime, None, asked(), ANN, sent={USER["id"]: SentMessage(None, sent)})
    )
    await run.wait()
    assert told(run)[0]["input"]["messages"] == [sent]


async def test_the_log_is_kept_and_followed() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    agent.go.set()
    first = await whole(runtime)
    agent.go.clear()
    agent.reached.clear()
    second = await runtime.start(None, asked(run_id="r2"), ANN)
    await agent.reached.wait()
    seen = await runtime.connect("a", "t1", ANN)
    assert [(log.run.number, log.run.id, list(log.events)) for log in seen.logs] == [
        (1, "r1", [entry.data for entry in first.entries])
    ]
    assert seen.run is second
    await runtime.aclose()


class Diary:
    """Hooks that write down what they are told."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def hooks(self) -> dict[str, Any]:
        async def later(event: Any) -> None:
            await asyncio.sleep(0)
            self.entries.append(event)

        def at_once(event: Any) -> None:
            self.entries.append(event)

        return {
            "on_before_request": later,
            "on_after_request": at_once,
            "on_stop_generation": later,
            "on_error": at_once,
        }


def before(run_id: str = "r1") -> BeforeRequest:
    return BeforeRequest(thread_id="t1", run_id=run_id, agent_name="a", input_messages=[USER], context=ANN)


async def test_a_run_that_ends_well_is_told_of_with_whole_messages() -> None:
    async def agent(input: RunAgentInput) -> Stream:
        for event in [event async for event in hello(input)]:
            yield event
        yield events.tool_call_start("c1", "f", "m1")
        yield events.tool_call_end("c1")
        yield events.tool_call_start("c2", "g")
        yield events.tool_call_args("c2", '{"x":')
        yield events.tool_call_args("c2", "1}")
        yield events.tool_call_end("c2")
        yield events.tool_call_result("x1", "c2", "done")

    diary = Diary()
    await whole(CopilotRuntime({"a": agent}, **diary.hooks()))
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    second = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}}
    said: list[dict[str, Any]] = [
        {"id": "m1", "role": "assistant", "content": "Hello!", "toolCalls": [call]},
        {"id": "c2", "role": "assistant", "toolCalls": [second]},
        {"id": "x1", "role": "tool", "toolCallId": "c2", "content": "done"},
    ]
    assert diary.entries == [before(), AfterRequest(request=before(), output_messages=said)]


async def test_a_run_that_is_stopped_is_told_of_once() -> None:
    diary, agent = Diary(), Waiting()
    runtime = CopilotRuntime({"a": agent}, **diary.hooks())
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    await runtime.stop("t1", ANN)
    run.stop()
    await run.wait()
    run.stop()
    await runtime.aclose()
    assert diary.entries == [before(), StopGeneration(request=before())]


async def test_a_run_that_fails_is_told_of() -> None:
    async def agent(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        raise RuntimeError("boom")

    diary = Diary()
    run = await whole(CopilotRuntime({"a": agent}, **diary.hooks()))
    assert run.error is not None
    error = RequestFailed(error=run.error, thread_id="t1", run_id="r1", agent_name="a", context=ANN)
    assert diary.entries == [before(), error]


async def test_a_hook_may_refuse_a_run() -> None:
    diary, ran = Diary(), []
    refusal = CopilotKitError("not today")

    async def refuse(event: BeforeRequest) -> None:
        raise refusal

    async def agent(input: RunAgentInput) -> Stream:
        ran.append(input)
        yield events.custom("x", 1)

    hooks = diary.hooks() | {"on_before_request": refuse}
    runtime = CopilotRuntime({"a": agent}, **hooks)
    with pytest.raises(CopilotKitError, match="not today"):
        await runtime.start(None, asked(), ANN)
    error = RequestFailed(error=refusal, thread_id="t1", run_id="r1", agent_name="a", context=ANN)
    assert (diary.entries, ran) == ([error], [])
    assert await runtime.load_agent_state("a", "t1", ANN) is None


@pytest.mark.parametrize(
    ("name", "input", "error_type"),
    [
        ("ghost", asked(), AgentNotFoundError),
        ("a", asked(messages=[USER, {**USER, "id": "u2"}]), InvalidRequestError),
        ("a", asked(tools=TOOLS), InvalidRequestError),
    ],
)
async def test_a_request_that_is_refused_is_told_of(
    name: str, input: RunAgentInput, error_type: type[Exception]
) -> None:
    diary = Diary()
    limits = Limits(messages_per_request=1, tools_per_request=1)
    runtime = CopilotRuntime({"a": hello}, limits=limits, **diary.hooks())
    with pytest.raises(error_type) as raised:
        await runtime.start(name, input, ANN)
    error = RequestFailed(error=raised.value, thread_id="t1", run_id="r1", agent_name=name, context=ANN)
    assert diary.entries == [error]


async def test_hooks_that_fail_harm_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Any) -> None:
        raise RuntimeError(f"no {type(event).__name__}")

    async def failing(input: RunAgentInput) -> Stream:
        raise RuntimeError("boom")
        yield

    waiting = Waiting()
    runtime = CopilotRuntime(
        {"hello": hello, "failing": failing, "waiting": waiting},
        on_after_request=fail,
        on_stop_generation=fail,
        on_error=fail,
    )
    for name in ("hello", "failing", "waiting"):
        run = await runtime.start(name, asked(), ANN)
        if name == "waiting":
            await waiting.reached.wait()
            await runtime.stop("t1", ANN)
        await run.wait()
        check_stream(told(run))
    for name in ("AfterRequest", "StopGeneration", "RequestFailed"):
        assert f"the hook for {name} failed" in caplog.text


async def test_a_hook_may_start_the_next_run() -> None:
    runs: list[Run] = []

    async def again(event: AfterRequest) -> None:
        if event.request.run_id == "r1":
            runs.append(await runtime.start(None, asked(run_id="r2"), ANN))

    runtime = CopilotRuntime({"a": hello}, on_after_request=again)
    await whole(runtime)
    await runs[0].wait()
    assert runs[0].status is RunStatus.FINISHED


async def test_a_thread_outlives_a_run_that_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    class Full(MemoryStateStore):
        async def append(
            self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
        ) -> AppendResult:
            if run.id == "r1" and events:
                raise RuntimeError("the disk is full")
            return await super().append(run, position, events, ending=ending)

    runtime = CopilotRuntime({"a": hello}, state_store=Full())
    first = await whole(runtime, asked(state={"a": 1}))
    assert told(first)[-1]["type"] == "RUN_FINISHED"
    assert "the disk is full" in caplog.text
    kept = await runtime.load_agent_state("a", "t1", ANN)
    assert kept is not None
    assert kept.state == {"a": 1}
    second = await whole(runtime, asked(run_id="r2"))
    assert second.status is RunStatus.FINISHED


async def test_a_provider_that_fails_to_start_leaves_the_thread_free() -> None:
    class Broken(Provider):
        fails: ClassVar[bool] = True

        def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
            if self.fails:
                raise RuntimeError("no")
            return hello(input)

    runtime = CopilotRuntime({"a": Broken()})
    assert (await whole(runtime)).status is RunStatus.FAILED
    Broken.fails = False
    assert (await whole(runtime)).status is RunStatus.FINISHED


async def test_a_deleted_thread_is_stopped_and_gone() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    run = await runtime.start(None, asked(), ANN)
    await agent.reached.wait()
    await runtime.delete_thread("t1", ANN)
    assert run.status is RunStatus.STOPPED
    assert await runtime.load_agent_state("a", "t1", ANN) is None
    with pytest.raises(ThreadNotFoundError):
        await runtime.delete_thread("t1", ANN)


class Knowing(Provider):
    """An agent that knows which threads it had to do with."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
        self.threads.add(input.thread_id)
        return hello(input)

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        return AgentSnapshot(owner=context.owner) if thread_id in self.threads else None

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        self.threads.remove(thread_id)


async def test_a_thread_that_is_not_kept_is_gone_after_its_run() -> None:
    agent, after = Knowing(), list[AfterRequest]()
    runtime = CopilotRuntime({"a": agent}, on_after_request=after.append)
    run = await runtime.start_run(await run_request(runtime, None, asked(), ANN, recorded=False))
    await run.wait()
    assert (run.status, len(after)) == (RunStatus.FINISHED, 1)
    assert agent.threads == set()
    assert await runtime.state_store.list_threads("ann") == []
    assert (await runtime.connect(None, "t1", ANN)).logs == []


async def test_a_run_aside_leaves_no_trace() -> None:
    diary, agent = Diary(), Waiting()
    store = MemoryStateStore()
    runtime = CopilotRuntime({"a": agent}, state_store=store, **diary.hooks())
    aside = await runtime.start_ephemeral(await run_request(runtime, None, asked(run_id="aside"), ANN))
    await agent.reached.wait()
    run = await runtime.start(None, asked(), ANN)
    assert runtime.active_run("t1", ANN) is run
    assert await runtime.stop("t1", ANN, run_id="aside")
    await aside.wait()
    agent.go.set()
    await run.wait()
    assert (aside.status, run.status) == (RunStatus.STOPPED, RunStatus.FINISHED)
    assert [log.run.id for log in await store.read_runs("ann", "t1")] == ["r1"]
    assert [type(entry) for entry in diary.entries] == [BeforeRequest, BeforeRequest, AfterRequest]


async def test_a_hook_may_refuse_a_run_aside() -> None:
    def refuse(before: BeforeRequest) -> None:
        raise CopilotKitError(f"Not {before.run_id}.")

    runtime = CopilotRuntime({"a": hello}, on_before_request=refuse)
    with pytest.raises(CopilotKitError, match=r"^Not aside\.$"):
        await runtime.start_ephemeral(await run_request(runtime, None, asked(run_id="aside"), ANN))


async def test_an_agent_forgets_a_run_aside_on_a_thread_that_it_did_not_know() -> None:
    agent = Knowing()
    runtime = CopilotRuntime({"a": agent})
    await (await runtime.start_ephemeral(await run_request(runtime, None, asked(), ANN))).wait()
    assert agent.threads == set()

    await whole(runtime)
    await (await runtime.start_ephemeral(await run_request(runtime, None, asked(run_id="aside"), ANN))).wait()
    assert agent.threads == {"t1"}


async def test_an_agent_keeps_what_it_alone_remembers_after_a_run_aside() -> None:
    agent = Knowing()
    agent.threads.add("t1")
    runtime = CopilotRuntime({"a": agent})
    await (await runtime.start_ephemeral(await run_request(runtime, None, asked(), ANN))).wait()
    assert agent.threads == {"t1"}


async def test_observers_see_every_run_until_they_leave() -> None:
    seen: list[str] = []
    runtime = CopilotRuntime({"a": hello})
    leave = runtime.observe(lambda run: seen.append(run.id))
    await whole(runtime, asked(run_id="r1"))
    await whole(runtime, asked("t2", run_id="r2"), BOB)
    leave()
    await whole(runtime, asked(run_id="r3"))
    assert seen == ["r1", "r2"]


async def test_closing_stops_everything() -> None:
    closed: list[str] = []

    class Store(MemoryStateStore):
        async def aclose(self) -> None:
            closed.append("store")

    class Closing(Remembering):
        async def aclose(self) -> None:
            closed.append("provider")
            raise RuntimeError("the pool is gone")

    waiting, provider, diary = Waiting(), Closing(), Diary()
    runtime = CopilotRuntime(
        {"w": waiting, "p": provider, "same": provider}, state_store=Store(), **diary.hooks()
    )
    runs = [await runtime.start("w", asked(f"t{n}"), ANN) for n in range(3)]
    await waiting.reached.wait()
    with pytest.raises(RuntimeError, match="the pool is gone"):
        await runtime.aclose()
    assert [run.status for run in runs] == [RunStatus.STOPPED] * 3
    assert sorted(closed) == ["provider", "store"]
    assert closed[-1] == "store"
    assert [type(entry) for entry in diary.entries].count(StopGeneration) == 3


async def test_closing_waits_for_the_hooks() -> None:
    heard: list[str] = []
    ended = asyncio.Event()

    async def slow(event: AfterRequest) -> None:
        ended.set()
        for _ in range(5):
            await asyncio.sleep(0)
        heard.append(event.request.run_id)

    runtime = CopilotRuntime({"a": hello}, on_after_request=slow)
    await runtime.start(None, asked(), ANN)
    await ended.wait()
    await runtime.aclose()
    assert heard == ["r1"]


def test_unexpected_errors_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    runtime = CopilotRuntime({})
    known = InvalidRequestError("too long")
    assert runtime.masked(known) is known
    masked = runtime.masked(RuntimeError("sk-secret"))
    assert isinstance(masked, InternalError)
    assert masked.message == f"An internal error occurred (error id {masked.error_id})."
    assert masked.error_id in caplog.text
    shown = CopilotRuntime({}, development=True).masked(RuntimeError("why"))
    assert shown.message == "RuntimeError: why"


async def test_contexts_of_runs_do_not_meet() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody")
    seen: list[tuple[str, str]] = []

    async def agent(input: RunAgentInput) -> Stream:
        first = variable.get()
        variable.set(f"agent of {input.thread_id}")
        yield events.custom("x", 1)
        await asyncio.sleep(0)
        seen.append((first, variable.get()))

    runtime = CopilotRuntime({"a": agent})

    async def request(n: int) -> None:
        variable.set(f"request {n}")
        await whole(runtime, asked(f"t{n}"))
        assert variable.get() == f"request {n}"

    await asyncio.gather(*(request(n) for n in range(20)))
    assert sorted(seen) == sorted((f"request {n}", f"agent of t{n}") for n in range(20))
    assert variable.get() == "nobody"


async def test_two_hundred_runs_at_once_do_not_meet() -> None:
    arrived = 0
    everybody = asyncio.Event()

    async def agent(input: RunAgentInput) -> Stream:
        nonlocal arrived
        me = input.thread_id
        yield events.text_start("m1")
        arrived += 1
        if arrived == 200:
            everybody.set()
        await everybody.wait()
        for word in range(10):
            yield events.text_content("m1", f"{me}:{word} ")
            await asyncio.sleep(0)
        yield events.state_snapshot({"me": me})

    runtime = CopilotRuntime({"a": agent}, limits=Limits(runs_per_owner=None))
    before_tasks = asyncio.all_tasks()
    runs = [
        await runtime.start("a", asked(f"t{n}", f"r{n}"), RequestContext(owner=f"o{n % 7}"))
        for n in range(200)
    ]
    await asyncio.gather(*(run.wait() for run in runs))
    for n, run in enumerate(runs):
        words = "".join(f"t{n}:{word} " for word in range(10))
        kept = await runtime.load_agent_state("a", f"t{n}", RequestContext(owner=f"o{n % 7}"))
        assert kept == AgentState(
            state={"me": f"t{n}"}, messages=[USER, {"id": "m1", "role": "assistant", "content": words}]
        )
        check_stream(told(run))
    assert asyncio.all_tasks() == before_tasks
    await runtime.aclose()


async def test_a_deleted_thread_stops_its_suggestions_too() -> None:
    agent = Waiting()
    runtime = CopilotRuntime({"a": agent})
    await whole_run(runtime, agent)
    aside = await runtime.start_ephemeral(await run_request(runtime, None, asked(run_id="aside"), ANN))
    await agent.reached.wait()
    await runtime.delete_thread("t1", ANN)
    assert aside.status is RunStatus.STOPPED


async def whole_run(runtime: CopilotRuntime, agent: Waiting) -> None:
    """A run from its beginning to its end, after which the agent waits again."""
    agent.go.set()
    await whole(runtime)
    agent.go.clear()
    agent.reached.clear()
