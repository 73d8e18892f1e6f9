"""What a reader who joins a thread sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.providers.base import AgentSnapshot, Provider
from copilotkit_runtime_py.runs.thread_view import ThreadView
from copilotkit_runtime_py.state_store.base import AgentState, RunEnding, RunLog, RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
SAID = {"id": "x1", "role": "user", "content": "from the agent's memory"}


class Talker(Provider):
    """An agent that says one word, and may remember a conversation."""

    def __init__(self, memory: AgentSnapshot | None = None) -> None:
        self.memory = memory

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Any]:
        yield events.text_start(f"m-{input.run_id}")
        yield events.text_content(f"m-{input.run_id}", "word")

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        return self.memory


def asked(run_id: str) -> RunAgentInput:
    said = [{"id": f"u-{run_id}", "role": "user", "content": "hi"}]
    body = {"threadId": "t1", "runId": run_id, "messages": said, "tools": [], "context": [], "state": {}}
    return RunAgentInput.model_validate({**body, "forwardedProps": {}})


async def ran(runtime: CopilotRuntime, **runs: str) -> None:
    for run_id, agent_name in runs.items():
        await (await runtime.start(agent_name, asked(run_id), ANN)).wait()


def ids(view: ThreadView) -> list[str]:
    return [log.run.id for log in view.logs]


async def test_a_reader_gets_the_runs_from_the_one_on_that_it_asks_for() -> None:
    runtime = CopilotRuntime({"a": Talker()})
    await ran(runtime, r1="a", r2="a", r3="a")
    for since, runs in ((1, ["r1", "r2", "r3"]), (3, ["r3"]), (9, ["r1", "r2", "r3"])):
        view = await runtime.connect("a", "t1", ANN, since=since)
        assert (ids(view), view.snapshot, view.run) == (runs, None, None)


async def test_a_run_that_begins_while_a_reader_joins_is_followed_to_its_end() -> None:
    class Busy(MemoryStateStore):
        """A store in which a run begins between two looks at a thread."""

        begins = False

        async def read_runs(self, *args: Any, **options: Any) -> list[RunLog]:
            found = await super().read_runs(*args, **options)
            if self.begins:
                self.begins = False
                run = await self.begin_run(RunRecord(id="r2", thread_id="t1", agent_name="a", owner="ann"))
                started = events.encode(events.run_started("t1", "r2"))
                await self.append(run, 0, [started])
            return found

    store = Busy()
    runtime = CopilotRuntime({"a": Talker()}, state_store=store)
    await ran(runtime, r1="a")
    store.begins = True
    view = await runtime.connect("a", "t1", ANN)
    assert ids(view) == ["r1"]
    assert view.run is not None
    assert (view.run.id, view.length) == ("r2", 1)
    await runtime.aclose()


async def test_a_reader_follows_the_newest_run_though_an_older_one_does_not_know_yet_that_it_was_ended() -> (
    None
):
    store = MemoryStateStore()
    go_on = asyncio.Event()

    async def zombie(input: RunAgentInput) -> AsyncIterator[Any]:
        await go_on.wait()
        yield events.text_start("m")

    runtime = CopilotRuntime({"a": zombie}, state_store=store)
    run = await runtime.start("a", asked("r1"), ANN)
    (lost,) = await store.read_runs("ann", "t1")
    ended = [events.run_started("t1", "r1"), events.run_error("lost", events.INTERRUPTED)]
    data = [events.encode(event) for event in ended]
    await store.append(lost.run, 0, data, ending=RunEnding(state=AgentState(), compacted=data))
    await store.begin_run(RunRecord(id="r2", thread_id="t1", agent_name="a", owner="ann"))

    view = await runtime.connect("a", "t1", ANN, since=2)
    assert ids(view) == []
    assert view.run is not None
    assert view.run.id == "r2"
    go_on.set()
    await run.wait()
    await runtime.aclose()


async def test_a_thread_that_no_log_knows_is_shown_from_the_agents_memory() -> None:
    memory = AgentSnapshot(messages=[SAID], owner="ann")
    runtime = CopilotRuntime({"a": Talker(memory)})
    view = await runtime.connect("a", "t1", ANN)
    assert (view.logs, view.snapshot) == ([], AgentState(messages=[SAID]))


async def test_what_a_user_saw_comes_from_the_store_if_it_has_all_that_the_agent_remembers() -> None:
    agent = Talker()
    runtime = CopilotRuntime({"a": agent})
    await ran(runtime, r1="a")
    stored = await runtime.load_agent_state("a", "t1", ANN)
    assert stored is not None
    agent.memory = AgentSnapshot(state={"n": 1}, messages=stored.messages[:1], owner="ann")
    assert await runtime.load_agent_state("a", "t1", ANN) == AgentState(
        state={"n": 1}, messages=stored.messages
    )
    agent.memory = AgentSnapshot(messages=[SAID], owner="ann")
    assert await runtime.load_agent_state("a", "t1", ANN) == AgentState(messages=[SAID])


async def test_a_thread_of_an_agent_that_is_out_of_bounds_is_not_there_by_way_of_another_agent() -> None:
    allowed = {"vault", "desk"}
    agents = {"vault": Talker(), "desk": Talker()}
    runtime = CopilotRuntime(agents, authorize=lambda context, name: name in allowed)
    await ran(runtime, r1="vault")
    assert ids(await runtime.connect("desk", "t1", ANN)) == ["r1"]
    allowed.remove("vault")
    view = await runtime.connect("desk", "t1", ANN)
    assert (view.logs, view.snapshot, view.run) == ([], None, None)
    assert await runtime.load_agent_state("desk", "t1", ANN) is None


async def test_runs_of_an_agent_that_is_out_of_bounds_stay_hidden_after_another_agent_ran() -> None:
    allowed = {"vault", "desk"}
    agents = {"vault": Talker(), "desk": Talker()}
    runtime = CopilotRuntime(agents, authorize=lambda context, name: name in allowed)
    await ran(runtime, r1="vault")
    allowed.remove("vault")
    await ran(runtime, r2="desk")
    assert ids(await runtime.connect("desk", "t1", ANN)) == ["r2"]


async def test_runs_of_an_agent_that_is_not_registered_any_more_can_be_read() -> None:
    first = CopilotRuntime({"old": Talker()})
    await ran(first, r1="old")
    agents = {"new": Talker()}
    later = CopilotRuntime(agents, state_store=first.state_store, authorize=lambda context, name: True)
    assert ids(await later.connect("new", "t1", ANN)) == ["r1"]
