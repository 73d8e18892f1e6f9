"""Flows and crews in the runtime: whole, well-formed runs, stop, and errors that tell no detail."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState
from copilotkit_runtime_py.runs.run import Run, RunStatus
from tests.providers.emitted import text_of
from tests.well_formed import check_models, check_stream

from .scripted import MARKS, ScriptedLLM, request, says, user

pytestmark = MARKS


def flow(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    return Chat


def crew(model: ScriptedLLM) -> Crew:
    agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=model)
    task = Task(description="{user_message}", expected_output="text", agent=agent)
    return Crew(agents=[agent], tasks=[task])


async def finished(run: Run) -> list[Event]:
    await run.wait()
    events = [entry.event for entry in run.log()]
    check_stream(events)
    check_models(events)
    return events


@pytest.mark.parametrize("kind", [flow, crew])
async def test_a_run_is_well_formed_and_its_state_is_kept(kind: Any) -> None:
    runtime = CopilotRuntime({"agent": kind(says("Hel", "lo"))})

    events = await finished(await runtime.start("agent", request(user("hi")), RequestContext()))
    kept = await runtime.load_agent_state("agent", "t", RequestContext())

    assert text_of(events) == "Hello"
    assert kept is not None
    assert [message["content"] for message in kept.messages] == ["hi", "Hello"]


async def test_an_error_is_masked() -> None:
    def fail(messages: list[Any]) -> list[Any]:
        raise ValueError("swordfish")

    runtime = CopilotRuntime({"agent": flow(ScriptedLLM(model="s", script=fail))})

    events = await finished(await runtime.start("agent", request(user("hi")), RequestContext()))

    assert events[-1]["type"] == "RUN_ERROR"
    assert "swordfish" not in str(events)


async def test_a_stopped_crew_says_nothing_more_and_its_thread_takes_the_next_run() -> None:
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hang(messages: list[Any]) -> Iterator[str]:
        yield "Once "
        loop.call_soon_threadsafe(reached.set)
        go_on.wait(timeout=30)
        yield "never"

    scripts: list[Any] = [hang, lambda messages: ["Hello"]]
    model = ScriptedLLM(model="s", script=lambda messages: scripts.pop(0)(messages))
    runtime = CopilotRuntime({"agent": crew(model)})
    context = RequestContext()

    run = await runtime.start("agent", request(user("hi")), context)
    await reached.wait()
    assert await runtime.stop("t", context)
    stopped = await finished(run)
    again = await runtime.start("agent", request(user("hi"), run="r2"), context)
    go_on.set()
    events = await finished(again)

    assert run.status is RunStatus.STOPPED
    assert text_of(stopped) == "Once "
    assert text_of(events) == "Hello"
    await runtime.aclose()
