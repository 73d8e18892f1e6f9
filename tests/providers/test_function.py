import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from ag_ui.core import EventType, RunAgentInput, StateSnapshotEvent, TextMessageStartEvent

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.providers.function import AgentFunction, FunctionProvider, RunnableAgent

INPUT = RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": []})
CONTEXT = RequestContext(owner="alice")


async def received(provider: Provider) -> list[Event]:
    return [event async for event in provider.run(INPUT, CONTEXT)]


@pytest.mark.anyio
async def test_a_function_gets_the_input_and_its_events_come_out() -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(input.run_id)

    assert await received(FunctionProvider(agent)) == [events.text_start("r1")]


@pytest.mark.anyio
async def test_models_come_out_in_json_form() -> None:
    async def agent(_: RunAgentInput) -> AsyncIterator[TextMessageStartEvent | StateSnapshotEvent]:
        yield TextMessageStartEvent(type=EventType.TEXT_MESSAGE_START, message_id="m1", role="assistant")
        yield StateSnapshotEvent(type=EventType.STATE_SNAPSHOT, snapshot={"a": None})

    assert await received(FunctionProvider(agent)) == [
        events.text_start("m1"),
        events.state_snapshot({"a": None}),
    ]


@pytest.mark.anyio
async def test_a_function_gets_the_context_if_it_asks_for_it() -> None:
    async def required(_: RunAgentInput, request: RequestContext) -> AsyncIterator[Event]:
        yield events.custom("owner", request.owner)

    async def by_name(_: RunAgentInput, context: RequestContext | None = None) -> AsyncIterator[Event]:
        yield events.custom("owner", context.owner if context else None)

    async def other(_: RunAgentInput, temperature: float = 0.5) -> AsyncIterator[Event]:
        yield events.custom("temperature", temperature)

    assert await received(FunctionProvider(required)) == [events.custom("owner", "alice")]
    assert await received(FunctionProvider(by_name)) == [events.custom("owner", "alice")]
    assert await received(FunctionProvider(other)) == [events.custom("temperature", 0.5)]


class Counting:
    """Counts its runs on itself, as agents with state on the instance do."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.runs += 1
        await asyncio.sleep(0)
        yield events.custom("runs", self.runs)


class Cloneable(Counting):
    def clone(self) -> "Cloneable":
        return Cloneable()


@pytest.mark.anyio
async def test_an_object_that_can_be_cloned_is_cloned_for_every_run() -> None:
    agent = Cloneable()
    provider = FunctionProvider(agent)
    assert (
        list(await asyncio.gather(received(provider), received(provider))) == [[events.custom("runs", 1)]] * 2
    )
    assert agent.runs == 0


@pytest.mark.anyio
async def test_an_object_that_cannot_be_cloned_is_shared() -> None:
    agent = Counting()
    provider = FunctionProvider(agent)
    assert [await received(provider), await received(provider)] == [
        [events.custom("runs", 1)],
        [events.custom("runs", 2)],
    ]


@pytest.mark.anyio
async def test_run_may_return_or_await_an_async_iterator() -> None:
    class Stream:
        def __aiter__(self) -> AsyncIterator[Event]:
            return Counting().run(INPUT)

    class Returning:
        def run(self, input: RunAgentInput) -> Stream:
            return Stream()

    class Awaited:
        async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
            return Stream()

    def function(_: RunAgentInput) -> Stream:
        return Stream()

    agents: list[RunnableAgent | AgentFunction] = [Returning(), Awaited(), function]
    for agent in agents:
        assert await received(FunctionProvider(agent)) == [events.custom("runs", 1)]


@pytest.mark.anyio
async def test_what_a_client_omits_from_the_input_is_empty_for_the_agent() -> None:
    async def asked(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.custom("asked", [input.tools, input.context, input.state, input.forwarded_props])

    omitted = RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": []})
    told = [event async for event in FunctionProvider(asked).run(omitted, RequestContext())]
    assert told == [events.custom("asked", [[], [], {}, {}])]


@pytest.mark.anyio
async def test_what_is_no_stream_of_events_is_named() -> None:
    def gather(_: RunAgentInput) -> list[Event]:
        return [events.text_start("m1")]

    async def text(_: RunAgentInput) -> AsyncIterator[str]:
        yield "data: {}"

    with pytest.raises(TypeError, match="returned list, which is not an iterator of events"):
        await received(FunctionProvider(gather))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="yielded str, which is not an AG-UI event"):
        await received(FunctionProvider(text))  # type: ignore[arg-type]


@pytest.mark.anyio
@pytest.mark.parametrize("wrapped", [False, True], ids=["generator", "iterable with a generator"])
async def test_closing_the_stream_closes_the_agents_generator(wrapped: bool) -> None:
    closed: list[str] = []

    async def generate(_: RunAgentInput) -> AsyncIterator[Event]:
        try:
            yield events.text_start("m1")
            yield events.text_end("m1")
        finally:
            await asyncio.sleep(0)
            closed.append("generator")

    class Stream:
        def __aiter__(self) -> AsyncIterator[Event]:
            return generate(INPUT)

        async def aclose(self) -> None:
            closed.append("stream")

    def wrap(_: RunAgentInput) -> Stream:
        return Stream()

    stream: Any = FunctionProvider(wrap if wrapped else generate).run(INPUT, CONTEXT)
    assert await anext(stream) == events.text_start("m1")
    await stream.aclose()
    assert closed == (["generator", "stream"] if wrapped else ["generator"])


@pytest.mark.anyio
async def test_cancelling_the_run_cancels_the_agent_where_it_waits() -> None:
    waiting, cancelled = asyncio.Event(), asyncio.Event()

    async def agent(_: RunAgentInput) -> AsyncIterator[Event]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield {}
        except asyncio.CancelledError:
            cancelled.set()
            raise

    run = asyncio.create_task(received(FunctionProvider(agent)))
    await waiting.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert cancelled.is_set()


@pytest.mark.anyio
async def test_an_agents_context_variables_stay_in_its_run() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    async def agent(_: RunAgentInput) -> AsyncIterator[Event]:
        before = variable.get()
        variable.set("set")
        await asyncio.sleep(0)
        yield events.custom("variable", [before, variable.get()])

    provider = FunctionProvider(agent)
    runs = await asyncio.gather(received(provider), received(provider))
    assert list(runs) == [[events.custom("variable", ["unset", "set"])]] * 2
    assert variable.get() == "unset"


@pytest.mark.anyio
async def test_a_synchronous_generator_runs_in_a_thread_of_its_own() -> None:
    person: ContextVar[str] = ContextVar("person")

    def agent(_: RunAgentInput) -> Iterator[Event]:
        for number in range(300):
            yield events.custom(person.get(), [number, threading.current_thread() is threading.main_thread()])

    person.set("alice")
    assert await received(FunctionProvider(agent)) == [
        events.custom("alice", [number, False]) for number in range(300)
    ]


@pytest.mark.anyio
async def test_a_synchronous_generator_that_blocks_leaves_the_loop_free() -> None:
    go_on = threading.Event()

    def agent(_: RunAgentInput) -> Iterator[Event]:
        assert go_on.wait(10)
        yield events.text_start("m1")

    running = asyncio.create_task(received(FunctionProvider(agent)))
    await asyncio.sleep(0)
    go_on.set()
    assert await running == [events.text_start("m1")]


@pytest.mark.anyio
async def test_what_a_synchronous_generator_raises_comes_after_its_events() -> None:
    def agent(_: RunAgentInput) -> Iterator[Event]:
        yield events.text_start("m1")
        raise ValueError("broken")

    stream = FunctionProvider(agent).run(INPUT, CONTEXT)
    assert await anext(stream) == events.text_start("m1")
    with pytest.raises(ValueError, match="broken"):
        await anext(stream)


@pytest.mark.anyio
async def test_stopping_a_synchronous_generator_ends_it_at_its_next_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, closed, go_on, reached = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), []

    def agent(_: RunAgentInput) -> Iterator[Event]:
        try:
            yield events.text_start("m1")
            assert go_on.wait(10)
            yield events.text_end("m1")
            reached.append("the next event")
        finally:
            loop.call_soon_threadsafe(closed.set)

    stream: Any = FunctionProvider(agent).run(INPUT, CONTEXT)
    assert await anext(stream) == events.text_start("m1")
    await stream.aclose()
    assert "its synchronous agent continues until its next event" in caplog.text
    go_on.set()
    async with asyncio.timeout(10):
        await closed.wait()
    assert reached == []


@pytest.mark.anyio
async def test_a_synchronous_generator_is_not_far_ahead_of_its_reader() -> None:
    made: list[int] = []
    ahead = threading.Event()

    def agent(_: RunAgentInput) -> Iterator[Event]:
        for number in range(10_000):
            made.append(number)
            if number == 64:
                ahead.set()
            yield events.custom("n", number)

    stream: Any = FunctionProvider(agent).run(INPUT, CONTEXT)
    await anext(stream)
    assert await asyncio.to_thread(ahead.wait, 10)
    assert len(made) < 100
    await stream.aclose()
