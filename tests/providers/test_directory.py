"""Which agent answers to a name, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import Provider, RequestContext
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import AgentNotFoundError, ConfigurationError
from copilotkit_runtime_py.providers.directory import AgentDirectory

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
BOB = RequestContext(owner="bob")


async def hello(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield {"type": "RUN_STARTED"}


def directory(*registered: str, default: str | None = None, authorize: Any = None) -> AgentDirectory:
    return AgentDirectory(dict.fromkeys(registered, hello), default=default, authorize=authorize)


def anns_only(context: RequestContext, name: str) -> bool:
    return context.owner == "ann" or not name.startswith("ann")


async def anns_only_says_the_database(context: RequestContext, name: str) -> bool:
    return anns_only(context, name)


async def test_a_name_is_its_agent() -> None:
    assert (await directory("a", "default", default="a").for_caller(ANN).resolve("default")).name == "default"
    assert (await directory("a", "b").for_caller(ANN).resolve("b")).name == "b"


@pytest.mark.parametrize("name", [None, "default"])
async def test_nobody_in_particular_is_the_default_agent(name: str | None) -> None:
    assert (await directory("a", "b", default="b").for_caller(ANN).resolve(name)).name == "b"
    assert (await directory("a", "default").for_caller(ANN).resolve(name)).name == "default"
    assert (await directory("only").for_caller(ANN).resolve(name)).name == "only"


async def test_an_unknown_agent_is_told_who_is_there() -> None:
    with pytest.raises(AgentNotFoundError) as raised:
        await directory("a", "b").for_caller(ANN).resolve("ghost")
    assert raised.value.message == (
        "Agent 'ghost' was not found. Available agents are: a, b. Please verify the agent name in your "
        "configuration and ensure it matches one of the available agents.\n\nSee more: "
        "[https://docs.copilotkit.ai/coagents/troubleshooting/common-issues#i-am-getting-agent-not-found-error]"
        "(https://docs.copilotkit.ai/coagents/troubleshooting/common-issues#i-am-getting-agent-not-found-error)"
    )
    with pytest.raises(AgentNotFoundError, match="Please set up at least one agent before proceeding"):
        await directory().for_caller(ANN).resolve("ghost")
    with pytest.raises(AgentNotFoundError, match="'default'"):
        await directory("a", "b").for_caller(ANN).resolve("default")


async def test_without_a_default_the_request_has_to_name_an_agent() -> None:
    with pytest.raises(ConfigurationError, match="Name one of: a, b"):
        await directory("a", "b").for_caller(ANN).resolve(None)
    with pytest.raises(ConfigurationError, match="no agent is registered"):
        await directory().for_caller(ANN).resolve(None)


def test_a_default_agent_has_to_be_registered() -> None:
    with pytest.raises(ConfigurationError, match="The default agent 'ghost' is not registered"):
        directory("a", default="ghost")


@pytest.mark.parametrize("authorize", [anns_only, anns_only_says_the_database])
async def test_an_agent_that_a_caller_may_not_use_is_not_there_for_them(authorize: Any) -> None:
    agents = directory("anns", "all", "more", default="anns", authorize=authorize)
    assert list(await agents.for_caller(ANN).all()) == ["anns", "all", "more"]
    assert list(await agents.for_caller(BOB).all()) == ["all", "more"]
    assert (await agents.for_caller(ANN).resolve("anns")).name == "anns"
    with pytest.raises(AgentNotFoundError) as refused:
        await agents.for_caller(BOB).resolve("anns")
    with pytest.raises(AgentNotFoundError) as unknown:
        await agents.for_caller(BOB).resolve("gone")
    assert refused.value.message == unknown.value.message.replace("gone", "anns")


@pytest.mark.parametrize("name", [None, "default"])
async def test_the_default_is_among_the_agents_that_the_caller_may_use(name: str | None) -> None:
    agents = directory("anns", "all", default="anns", authorize=anns_only)
    assert (await agents.for_caller(ANN).resolve(name)).name == "anns"
    assert (await agents.for_caller(BOB).resolve(name)).name == "all"
    agents = directory("anns", "b", "c", default="anns", authorize=anns_only)
    with pytest.raises((AgentNotFoundError, ConfigurationError)) as raised:
        await agents.for_caller(BOB).resolve(name)
    assert "b, c" in raised.value.message
    assert "anns" not in raised.value.message


async def test_a_rule_that_fails_lets_nobody_in() -> None:
    def broken(context: RequestContext, name: str) -> bool:
        raise LookupError(name)

    agents = directory("a", authorize=broken)
    for name in ("a", "default", None):
        with pytest.raises(LookupError):
            await agents.for_caller(ANN).resolve(name)


class Tenants:
    """Agents by tenant, made anew each time they are asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, context: RequestContext) -> dict[str, Any]:
        self.asked.append(context.owner)
        return {f"of-{context.owner}": hello}


async def test_each_caller_has_the_agents_that_a_function_returns() -> None:
    agents = AgentDirectory(Tenants(), default=None, authorize=None)

    assert list(await agents.for_caller(ANN).all()) == ["of-ann"]
    assert (await agents.for_caller(BOB).resolve(None)).name == "of-bob"
    with pytest.raises(AgentNotFoundError):
        await agents.for_caller(BOB).resolve("of-ann")
    assert not await agents.for_caller(BOB).may_read("of-ann")


async def test_the_function_is_called_once_for_a_request_and_once_for_a_cache_key() -> None:
    each, cached = Tenants(), Tenants()
    by_request = AgentDirectory(each, default=None, authorize=None)
    by_owner = AgentDirectory(cached, default=None, authorize=None, cache_key=lambda context: context.owner)

    for directory in (by_request, by_owner):
        for context in (ANN, ANN, BOB):
            available = directory.for_caller(context)
            await available.resolve(None)
            await available.all()

    assert each.asked == ["ann", "ann", "bob"]
    assert cached.asked == ["ann", "bob"]


async def test_an_object_that_a_function_returns_again_keeps_its_provider() -> None:
    used: list[tuple[str | None, str]] = []

    class Agent(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
            return
            yield

        def use_store(self, url: str | None, agent_name: str) -> None:
            used.append((url, agent_name))

    agent = Agent()
    agents = AgentDirectory(lambda context: {"a": agent}, default=None, authorize=None, url="sqlite:///a.db")

    first, second = [(await agents.for_caller(each).resolve("a")).provider for each in (ANN, BOB)]

    assert first is second
    assert used == [("sqlite:///a.db", "a")]
    assert agents.in_use() == {first}
