import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import MARKS, ScriptedLLM, request, says, user

pytestmark = MARKS


def chat(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    return Chat


def sync_chat(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    class Chat(Flow[CopilotKitState]):
        @start()
        def answer(self) -> None:
            answer = model.call(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    return Chat


def crew(model: ScriptedLLM) -> Crew:
    agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=model)
    task = Task(description="Answer: {user_message}.", expected_output="text", agent=agent)
    return Crew(agents=[agent], tasks=[task])


async def run_many(provider: CrewAIProvider, runs: int) -> list[list[Event]]:
    return await asyncio.gather(
        *(collect(provider, request(user(f"n{n}"), thread=f"t{n}", run=f"r{n}")) for n in range(runs))
    )


def assert_apart(results: list[list[Event]], parts: int) -> None:
    for n, events in enumerate(results):
        assert text_of(events) == "".join(f"n{n}.{i} " for i in range(parts))
        assert events[-1] == {"type": "RUN_FINISHED", "threadId": f"t{n}", "runId": f"r{n}"}
        assert len(messages(events)) == 2


async def test_many_runs_at_the_same_time_do_not_mix() -> None:
    runs = 50
    everyone = asyncio.Barrier(runs)

    async def meet() -> None:
        await everyone.wait()

    def script(seen: list[Any]) -> list[Any]:
        return [meet, *(part for i in range(5) for part in (f"{seen[-1]['content']}.{i} ", meet))]

    results = await run_many(CrewAIProvider(chat(ScriptedLLM(model="s", script=script))), runs)

    assert_apart(results, 5)


async def test_many_synchronous_runs_at_the_same_time_do_not_wait_for_each_other_or_mix() -> None:
    runs = 50
    everyone = threading.Barrier(runs)

    def script(seen: list[Any]) -> Iterator[Any]:
        everyone.wait(timeout=30)
        for i in range(5):
            yield f"{seen[-1]['content']}.{i} "

    results = await run_many(CrewAIProvider(sync_chat(ScriptedLLM(model="s", script=script))), runs)

    assert_apart(results, 5)


async def test_many_runs_of_one_crew_do_not_mix() -> None:
    runs = 50
    everyone = threading.Barrier(runs)

    def script(seen: list[Any]) -> Iterator[Any]:
        name = seen[-1]["content"].partition("Answer: ")[2].partition(".")[0]
        everyone.wait(timeout=30)
        for i in range(5):
            yield f"{name}.{i} "

    results = await run_many(CrewAIProvider(crew(ScriptedLLM(model="s", script=script))), runs)

    assert_apart(results, 5)


async def test_runs_of_one_flow_object_share_nothing() -> None:
    class Counts(Flow[dict[str, Any]]):
        @start()
        def count(self) -> str:
            self.state["count"] = self.state.get("count", 0) + 1
            return f"{self.state['count']}"

    provider = CrewAIProvider(Counts())

    results = [await collect(provider, request(user("hi"), thread=f"t{n}")) for n in range(2)]

    assert [text_of(events) for events in results] == ["1", "1"]


class Hanging:
    """Something that never ends, and knows whether it was told to."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.cancelled = True
            raise


async def stop_when(reached: asyncio.Event, provider: CrewAIProvider) -> list[Event]:
    """Runs the provider in a task of its own, cancels it, and returns what it emitted."""
    seen: list[Event] = []

    async def pump() -> None:
        async for event in provider.run(request(user("go")), RequestContext()):
            seen.append(event)  # noqa: PERF401 - the events before the cancellation count

    task = asyncio.create_task(pump())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return seen


async def test_stopping_mid_token_cancels_the_model_before_the_run_ends() -> None:
    hanging = Hanging()
    provider = CrewAIProvider(chat(says("Once ", "upon ", hanging, "never")))
    before = asyncio.all_tasks()

    seen = await stop_when(hanging.reached, provider)

    assert hanging.cancelled
    assert "never" not in text_of(seen)
    assert of_type(seen, "RUN_FINISHED", "MESSAGES_SNAPSHOT") == []
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_closing_the_stream_stops_the_flow() -> None:
    hanging = Hanging()
    stream: Any = CrewAIProvider(chat(says("a", hanging))).run(request(user("go")), RequestContext())

    async for event in stream:
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            await hanging.reached.wait()
            break
    await stream.aclose()

    assert hanging.cancelled


class Stuck:
    """A script whose model hangs in a thread until it is let go, and that knows how far it came."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self.go_on = threading.Event()
        self.thread: threading.Thread | None = None
        self.written: list[str] = []

    def __call__(self, messages: list[Any]) -> Iterator[Any]:
        self.thread = threading.current_thread()
        yield "Once "
        self._loop.call_soon_threadsafe(self.reached.set)
        self.go_on.wait(timeout=30)
        for token in ("never ", "ever"):
            self.written.append(token)
            yield token

    async def ended(self) -> None:
        self.go_on.set()
        assert self.thread is not None
        await asyncio.to_thread(self.thread.join)
        for thread in threading.enumerate():
            if thread.name.startswith("flow method"):
                await asyncio.to_thread(thread.join)


@pytest.mark.parametrize(("kind", "method"), [(sync_chat, "answer"), (crew, "kickoff")])
async def test_a_thread_is_counted_after_a_stop_and_ends_with_its_next_token(kind: Any, method: str) -> None:
    stuck = Stuck()
    provider = CrewAIProvider(kind(ScriptedLLM(model="s", script=stuck)))

    seen = await stop_when(stuck.reached, provider)
    left = provider.threads_left
    await stuck.ended()
    await asyncio.sleep(0)

    assert left == [method]
    assert stuck.written == ["never "]
    assert text_of(seen) in ("", "Once ")
    assert provider.threads_left == []


async def test_what_a_stopped_thread_still_says_reaches_no_other_run() -> None:
    stuck = Stuck()
    scripts = [stuck, lambda messages: ["Hello"]]
    model = ScriptedLLM(model="s", script=lambda messages: scripts.pop(0)(messages))  # type: ignore[operator]
    provider = CrewAIProvider(sync_chat(model))
    await stop_when(stuck.reached, provider)

    events, _ = await asyncio.gather(collect(provider, request(user("again"))), stuck.ended())

    assert text_of(events) == "Hello"


async def test_a_failing_flow_raises_and_its_other_methods_are_stopped() -> None:
    go_on, ended = asyncio.Event(), asyncio.Event()
    asked: list[Any] = []
    model = ScriptedLLM(model="s", script=lambda messages: asked)

    class Fails(Flow[CopilotKitState]):
        @start()
        async def fail(self) -> None:
            raise ValueError("swordfish")

        @start()
        async def work(self) -> None:
            try:
                await go_on.wait()
                await model.acall("hi")
                asked.append("answered")
            finally:
                ended.set()

    with pytest.raises(ValueError, match="swordfish"):
        await collect(CrewAIProvider(Fails), request(user("hi")))
    go_on.set()
    await ended.wait()

    assert asked == []


async def test_a_failing_crew_raises() -> None:
    def fail(seen: list[Any]) -> list[Any]:
        raise ValueError("swordfish")

    with pytest.raises(ValueError, match="swordfish"):
        await collect(CrewAIProvider(crew(ScriptedLLM(model="s", script=fail))), request(user("hi")))


async def test_context_variables_of_the_caller_reach_the_methods_and_theirs_do_not_leak() -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    class Looks(Flow[CopilotKitState]):
        @start()
        def look(self) -> None:
            seen.append(who.get())
            who.set("method")

    provider = CrewAIProvider(Looks)

    async def as_user(name: str) -> str:
        who.set(name)
        await collect(provider, request())
        return who.get()

    after = await asyncio.gather(as_user("ada"), as_user("bob"))

    assert sorted(seen) == list(after) == ["ada", "bob"]
