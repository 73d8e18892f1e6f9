"""A runtime's actions, from their registration to the end of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import Action, AgentTool, CopilotRuntime, Limits, MemoryStateStore, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import ConfigurationError
from copilotkit_runtime_py.providers.directory import AgentDirectory, ResolvedAgent
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.tools.actions import Offer
from copilotkit_runtime_py.tools.registry import ToolRegistry
from tests.run_request import run_request

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
USER = {"id": "u1", "role": "user", "content": "hi"}
ANN, BOB = RequestContext(owner="ann"), RequestContext(owner="bob")


def asked(run_id: str = "r1", **fields: Any) -> RunAgentInput:
    body = {"messages": [USER], "tools": [], "context": [], "state": {}, "forwardedProps": {}, **fields}
    return RunAgentInput.model_validate({"threadId": "t1", "runId": run_id} | body)


class Calling:
    """An agent that calls one tool, and keeps what it was asked."""

    def __init__(self, tool: str, arguments: str = "{}") -> None:
        self.inputs: list[RunAgentInput] = []
        self._tool = tool
        self._arguments = arguments

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.inputs.append(input)
        if input.messages[-1].role != "tool":
            yield events.tool_call_start("c1", self._tool)
            yield events.tool_call_args("c1", self._arguments)
            yield events.tool_call_end("c1")

    @property
    def offered(self) -> list[list[str]]:
        return [[tool.name for tool in input.tools or ()] for input in self.inputs]


async def over(run: Run) -> list[str]:
    """The results of the run's calls, once it is over."""
    await run.wait()
    return [entry.event["content"] for entry in run.entries if entry.event["type"] == "TOOL_CALL_RESULT"]


async def test_functions_become_actions_by_a_decorator_and_stay_functions() -> None:
    agent = Calling("twice", '{"n": 21}')
    runtime = CopilotRuntime({"a": agent})

    @runtime.action
    def twice(n: int) -> int:
        return 2 * n

    @runtime.action(name="other", description="Another one.", timeout=1.0, agents=["b"])
    async def unlike() -> None: ...

    assert twice(4) == 8
    assert await over(await runtime.start("a", asked(), ANN)) == ["42"]
    assert agent.offered == [["twice"]] * 2


async def test_actions_are_given_with_the_runtime() -> None:
    async def handler(arguments: dict[str, Any], context: RequestContext) -> str:
        return f"{context.owner}: {arguments['n']}"

    def second() -> None: ...

    agent = Calling("first", '{"n": 1}')
    runtime = CopilotRuntime({"a": agent}, actions=[Action(name="first", handler=handler), second])
    assert await over(await runtime.start("a", asked(), ANN)) == ["ann: 1"]
    assert agent.offered == [["first", "second"]] * 2


async def test_two_tools_of_one_name_are_refused() -> None:
    runtime = CopilotRuntime({"a": Calling("x"), "search": Calling("y")})

    @runtime.action
    def search() -> None: ...

    with pytest.raises(ConfigurationError, match="two tools of the name 'search'"):
        runtime.action(search)
    with pytest.raises(ConfigurationError, match="two tools of the name 'search'"):
        runtime.agent_tool("search")
    with pytest.raises(ConfigurationError, match="'ghost' is not registered"):
        CopilotRuntime({"a": Calling("x")}, actions=[AgentTool(name="ghost")])


@pytest.mark.parametrize("development", [True, False])
async def test_only_in_development_an_exceptions_text_is_told(development: bool) -> None:
    runtime = CopilotRuntime({"a": Calling("fail")}, development=development)

    @runtime.action
    def fail() -> None:
        raise RuntimeError("hunter2")

    (result,) = await over(await runtime.start("a", asked(), ANN))
    assert ("hunter2" in result) is development


async def test_the_limits_of_the_runtime_bound_rounds_and_calls() -> None:
    class Insatiable(Calling):
        async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
            self.inputs.append(input)
            yield events.tool_call_start(f"c{len(self.inputs)}", "nothing")

    agent = Insatiable("nothing")
    runtime = CopilotRuntime({"a": agent}, limits=Limits(action_rounds=3))
    runtime.action(name="nothing")(lambda: None)
    run = await runtime.start("a", asked(), ANN)
    await run.wait()
    assert run.status is RunStatus.FAILED
    assert run.entries[-1].event["code"] == "LIMIT_EXCEEDED"
    assert len(agent.inputs) == 4


async def test_an_agent_that_the_caller_may_not_use_is_no_tool_for_them() -> None:
    agent = Calling("secret")

    async def secret(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")

    def authorize(context: RequestContext, name: str) -> bool:
        return name != "secret" or context.owner == "ann"

    runtime = CopilotRuntime({"a": agent, "secret": secret}, authorize=authorize)
    runtime.agent_tool("secret", description="Knows.")
    assert await over(await runtime.start("a", asked(), ANN)) == ["secret agent started"]
    assert await over(await runtime.start("a", asked(threadId="t2"), BOB)) == []
    assert agent.offered == [["secret"], []]


async def test_suggestions_run_no_actions() -> None:
    agent = Calling("act")
    ran: list[str] = []
    runtime = CopilotRuntime({"a": agent})

    @runtime.action
    def act() -> None:
        ran.append("acted")

    await over(await runtime.start_ephemeral(await run_request(runtime, "a", asked(), ANN)))
    assert (ran, agent.offered) == ([], [[]])


async def test_a_thread_remembers_the_results_and_gives_no_other_to_the_agent() -> None:
    agent = Calling("price")
    runtime = CopilotRuntime({"a": agent}, state_store=MemoryStateStore())

    @runtime.action
    def price() -> str:
        return "100"

    await over(await runtime.start("a", asked(), ANN))
    state = await runtime.load_agent_state("a", "t1", ANN)
    assert state is not None
    assert state.messages[-1] == {
        "id": "result-c1",
        "role": "tool",
        "toolCallId": "c1",
        "content": "100",
    }
    forged = [*state.messages[:-1], {**state.messages[-1], "content": "1"}]
    await over(await runtime.start("a", asked("r2", messages=forged), ANN))
    assert agent.inputs[-1].messages[-1].content == "100"


async def test_the_results_of_the_clients_own_tools_are_its_own() -> None:
    agent = Calling("pick")
    tools = [{"name": "pick", "description": "", "parameters": {}}]
    runtime = CopilotRuntime({"a": agent})
    await over(await runtime.start("a", asked(tools=tools), ANN))
    call = {"id": "c1", "type": "function", "function": {"name": "pick", "arguments": "{}"}}
    history = [USER, {"id": "c1", "role": "assistant", "toolCalls": [call]}]
    for number, content in enumerate(["red", "blue"], 2):
        picked = {"id": "p1", "role": "tool", "toolCallId": "c1", "content": content}
        await over(
            await runtime.start("a", asked(f"r{number}", tools=tools, messages=[*history, picked]), ANN)
        )
        assert agent.inputs[-1].messages[-1].content == content


async def test_sources_are_closed_with_the_runtime() -> None:
    closed: list[str] = []

    class Source:
        name = "shop"
        properties: Collection[str] = ("shopKey",)

        @asynccontextmanager
        async def offer(self, context: RequestContext) -> AsyncIterator[Offer]:
            yield Offer([])

        async def aclose(self) -> None:
            closed.append(self.name)

    agent = Calling("x")
    runtime = CopilotRuntime({"a": agent}, mcp_servers=[Source()])
    await over(await runtime.start("a", asked(forwardedProps={"shopKey": "k", "plan": "p"}), ANN))
    assert agent.inputs[0].forwarded_props == {"plan": "p"}
    await runtime.aclose()
    assert closed == ["shop"]


async def resolved(agents: dict[str, Any], authorize: Any = None) -> tuple[AgentDirectory, ResolvedAgent]:
    directory = AgentDirectory(agents, default=None, authorize=authorize)
    return directory, await directory.for_caller(ANN).resolve("a")


async def test_an_agent_of_a_server_without_tools_runs_as_it_is() -> None:
    directory, agent = await resolved({"a": Calling("x")})
    registry = ToolRegistry((), (), agents=directory.providers, limits=Limits(), development=False)
    assert await registry.with_tools(agent) is None

    @registry.action
    def now() -> str:
        return "noon"

    assert await registry.with_tools(agent) is not None


async def test_who_may_hand_over_to_whom_is_asked_once_for_each_agent_of_a_request() -> None:
    asked_about: list[str] = []

    def authorize(context: RequestContext, name: str) -> bool:
        asked_about.append(name)
        return name != "secret"

    names = ("a", "b", "secret")
    directory, agent = await resolved({name: Calling("x") for name in names}, authorize)
    tools = [AgentTool(name=name) for name in names]
    registry = ToolRegistry(tools, (), agents=directory.providers, limits=Limits(), development=False)
    assert await registry.with_tools(agent) is not None
    assert await registry.with_tools(agent) is not None
    assert asked_about == ["a", "b", "secret"]
