"""What the server offers to its agents: actions, other agents, and the tools of MCP servers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..errors import ConfigurationError
from ..limits import Limits
from ..providers.base import Provider
from ..providers.directory import ResolvedAgent
from .actions import Action, AgentTool, Tool, action_from
from .loop import ActionSource, ToolLoop

if TYPE_CHECKING:
    from .mcp.apps import AppServer

F = TypeVar("F", bound=Callable[..., Any])


class ToolRegistry:
    """The tools of a runtime.

    Args:
        tools: actions, functions that become actions, and agents that others may hand over to.
        sources: where more actions come from.
        agents: every agent of the runtime, or None where they depend on the caller.
        limits: the bounds of calls.
        development: the text of unexpected exceptions reaches model and client.

    Attributes:
        properties: the forwarded properties that are for sources only; they may hold keys.

    Raises:
        ConfigurationError: two tools have one name, or a tool names an agent that is not registered.
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]],
        sources: Iterable[ActionSource],
        *,
        agents: Mapping[str, Provider] | None,
        limits: Limits,
        development: bool,
    ) -> None:
        self._tools: dict[str, Tool] = {}
        self._sources = tuple(sources)
        self.properties = {name for source in self._sources for name in source.properties}
        self._agents = agents
        self._limits = limits
        self._development = development
        for tool in tools:
            self._add(tool if isinstance(tool, Action | AgentTool) else action_from(tool))

    @overload
    def action(self, function: F, /) -> F: ...

    @overload
    def action(
        self,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        agents: Collection[str] | None = None,
        approval: bool = False,
        message: str | None = None,
    ) -> Callable[[F], F]: ...

    def action(
        self,
        function: F | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        agents: Collection[str] | None = None,
        approval: bool = False,
        message: str | None = None,
    ) -> F | Callable[[F], F]:
        """Offers a function to agents, as a decorator with or without arguments; see `action_from`.

        Raises:
            ConfigurationError: there is a tool of that name.
            TypeError: the function's parameters have no JSON schema.
        """

        def register(function: F) -> F:
            self._add(
                action_from(
                    function,
                    name=name,
                    description=description,
                    timeout=timeout,
                    agents=agents,
                    approval=approval,
                    message=message,
                )
            )
            return function

        return register if function is None else register(function)

    def agent_tool(
        self, name: str, *, description: str | None = None, agents: Collection[str] | None = None
    ) -> None:
        """Lets other agents hand over to an agent; see `AgentTool`.

        Raises:
            ConfigurationError: there is no agent of that name, or a tool of that name.
        """
        self._add(AgentTool(name=name, description=description, agents=agents))

    async def with_tools(
        self,
        agent: ResolvedAgent,
        further: Sequence[Action] = (),
        prepared: Callable[[Provider], Provider] = lambda provider: provider,
        *,
        waiting: bool = False,
    ) -> ToolLoop | None:
        """Returns what runs an agent with the server's tools, or None if the server has none.

        An agent that the caller may not use is not a tool for them.

        Args:
            agent: the agent.
            further: tools of this run alone.
            prepared: returns what runs an agent of this run, given its provider.
            waiting: calls wait for an approval, although the server may have no tools any more.
        """
        if not (self._tools or self._sources or further or waiting):
            return None
        tools, agents = [*self._tools.values(), *further], self._agents or {}
        if any(isinstance(tool, AgentTool) for tool in tools):
            agents = await agent.available.all()
            tools = [tool for tool in tools if isinstance(tool, Action) or tool.name in agents]
        return ToolLoop(
            prepared(agent.provider),
            name=agent.name,
            tools=tools,
            sources=self._sources,
            agents={name: prepared(provider) for name, provider in agents.items()},
            limits=self._limits,
            development=self._development,
        )

    def app_servers(self, agent_name: str) -> list[AppServer]:
        """Returns the MCP servers that frames of an agent's MCP Apps may ask."""
        servers: Iterable[Any] = (source for source in self._sources if getattr(source, "apps", False))
        return [server for server in servers if server.serves(agent_name)]

    async def aclose(self) -> None:
        """Releases what the sources hold."""
        async with AsyncExitStack() as stack:
            for source in self._sources:
                stack.push_async_callback(source.aclose)

    def _add(self, tool: Tool) -> None:
        if tool.name in self._tools:
            raise ConfigurationError(f"There are two tools of the name '{tool.name}'.")
        registered = self._agents is None or tool.name in self._agents
        if isinstance(tool, AgentTool) and not registered:
            raise ConfigurationError(f"The agent '{tool.name}' is not registered, so it cannot be a tool.")
        self._tools[tool.name] = tool
