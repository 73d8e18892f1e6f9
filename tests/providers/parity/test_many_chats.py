"""Fifty chats at the same time with every kind of agent: they do not mix, and a stop frees everything."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.agui import events as ev
from tests.protocols.agui.served import Served
from tests.providers.parity.contracts import CONTRACTS, Chat
from tests.providers.parity.script import Part
from tests.scripted_agent import ScriptedAgent, run, text

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CHATS = 50
KINDS = ["function", "langgraph", "crewai", "remote"]


class Agent(Protocol):
    """An agent that repeats the user's words three times, and waits before the second time.

    Attributes:
        agent: what is registered.
    """

    agent: Any

    async def all_wait(self) -> None:
        """Returns once all chats wait."""

    def go_on(self) -> None:
        """Lets them go on."""

    async def all_cancelled(self) -> None:
        """Returns once every wait was broken off."""


class InProcess:
    """An agent in this process, of any framework, whose model waits."""

    def __init__(self, kind: str) -> None:
        self._waiting = asyncio.Semaphore(0)
        self._cancelled = asyncio.Semaphore(0)
        self._open = asyncio.Event()
        if kind == "function":
            self.agent: Any = self._function
        else:
            framework: Any = importlib.import_module(f"tests.providers.parity.on_{kind}")
            self.agent = framework.chat(self._script)

    def _script(self, texts: list[str]) -> list[Part]:
        return [f"{texts[-1]} ", self._wait, f"{texts[-1]} ", texts[-1]]

    async def _function(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield ev.text_start("m")
        for part in self._script([str(input.messages[-1].content)]):
            if isinstance(part, str):
                yield ev.text_content("m", part)
            elif callable(part):
                await part()

    async def _wait(self) -> None:
        self._waiting.release()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self._cancelled.release()
            raise

    async def all_wait(self) -> None:
        await _acquire(self._waiting)

    def go_on(self) -> None:
        self._open.set()

    async def all_cancelled(self) -> None:
        await _acquire(self._cancelled)


async def _acquire(semaphore: asyncio.Semaphore) -> None:
    async with asyncio.timeout(30):
        for _ in range(CHATS):
            await semaphore.acquire()


class Remote:
    """An agent behind HTTP."""

    def __init__(self, server: ScriptedAgent) -> None:
        self._server = server
        self.agent = server.play("agent", self._script)

    def _script(self, run_input: dict[str, Any]) -> list[dict[str, Any]]:
        words = run_input["messages"][-1]["content"]
        steps = run(*text("m", f"{words} ", f"{words} ", words))
        return [*steps[:3], {"gate": "go on"}, *steps[3:]]

    async def all_wait(self) -> None:
        await asyncio.to_thread(self._server.wait_for_call, "agent", CHATS, 30)

    def go_on(self) -> None:
        self._server.open_gate("go on")

    async def all_cancelled(self) -> None:
        ends = [asyncio.wrap_future(call.played) for call in self._server.calls]
        assert await asyncio.gather(*ends) == [False] * CHATS


@asynccontextmanager
async def serving(agent: Agent) -> AsyncIterator[list[Chat]]:
    runtime = CopilotRuntime({"agent": agent.agent})
    served = Served(runtime)
    yield [CONTRACTS["agui"](served, "agent", f"t{n}") for n in range(CHATS)]
    await runtime.aclose()


@pytest.fixture(params=KINDS)
def make_agent(request: pytest.FixtureRequest) -> Iterator[Callable[[], Agent]]:
    """Makes the agent within the test's event loop."""
    if request.param == "crewai":
        pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)
    if request.param != "remote":
        yield lambda: InProcess(request.param)
        return
    with ScriptedAgent() as server:
        yield lambda: Remote(server)


async def meanwhile(
    work: list[Awaitable[Any]], agent: Agent, then: Callable[[], Awaitable[Any]]
) -> list[Any]:
    """Does the work, and something else as soon as all agents wait."""
    all_work = asyncio.gather(*work)
    await agent.all_wait()
    await then()
    return list(await all_work)


async def test_chats_at_the_same_time_do_not_mix(make_agent: Callable[[], Agent]) -> None:
    agent = make_agent()

    async def let_go() -> None:
        agent.go_on()

    async with serving(agent) as chats:
        work = [chat.say(f"n{n}") for n, chat in enumerate(chats)]
        answers = await meanwhile([*work], agent, let_go)
        loaded = await asyncio.gather(*(chat.loaded() for chat in chats))

    said = [f"n{n} n{n} n{n}" for n in range(CHATS)]
    assert [answer.texts for answer in answers] == [[text] for text in said]
    assert [messages for messages, _ in loaded] == [
        [("user", f"n{n}"), ("assistant", text)] for n, text in enumerate(said)
    ]


async def test_stopping_all_chats_frees_everything(make_agent: Callable[[], Agent]) -> None:
    agent = make_agent()

    async with serving(agent) as chats:
        before = asyncio.all_tasks()

        async def stop_all() -> None:
            await asyncio.gather(*(chat.press_stop() for chat in chats))
            await agent.all_cancelled()

        answers = await meanwhile([chat.say(f"n{n}") for n, chat in enumerate(chats)], agent, stop_all)

    # The first word may still have been under way.
    assert all("".join(answer.texts) in (f"n{n} ", "") for n, answer in enumerate(answers))
    assert asyncio.all_tasks() == before
