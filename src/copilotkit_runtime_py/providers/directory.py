"""The agents of a runtime, and which of them the caller of a request may use."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..context import RequestContext
from ..errors import AgentNotFoundError, ConfigurationError
from .base import Provider
from .resolve import AgentLike, as_provider

Authorize: TypeAlias = Callable[[RequestContext, str], bool | Awaitable[bool]]
"""Whether the caller of a request may use the agent of a name."""


class AgentDirectory:
    """Every agent of a runtime.

    Args:
        agents: what can be run, by name.
        default: the agent for requests that name none. Without it, that is the agent named `default`, or
            the only one that the caller may use.
        authorize: decides who may use which agent. Without it, every caller may use all.

    Attributes:
        providers: every agent, by name.

    Raises:
        ConfigurationError: an agent cannot be run, or the default agent is not registered.
    """

    def __init__(
        self, agents: Mapping[str, AgentLike], *, default: str | None, authorize: Authorize | None
    ) -> None:
        self.providers: dict[str, Provider] = {name: as_provider(agent) for name, agent in agents.items()}
        if default is not None and default not in self.providers:
            raise ConfigurationError(f"The default agent '{default}' is not registered.")
        self._default = default
        self._authorize = authorize

    def for_caller(self, context: RequestContext) -> AvailableAgents:
        """Returns the agents that the caller of a request may use."""
        return AvailableAgents(self.providers, self._default, self._authorize, context)


class AvailableAgents:
    """The agents that the caller of one request may use. To the caller, others do not exist.

    `authorize` is asked about each agent once: it may query a database, and two answers within one request
    could contradict each other.

    Args:
        providers: every agent, by name.
        default: the agent for requests that name none.
        authorize: decides.
        context: the request.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        default: str | None,
        authorize: Authorize | None,
        context: RequestContext,
    ) -> None:
        self._providers = providers
        self._default = default
        self._authorize = authorize
        self._context = context
        self._verdicts: dict[str, bool] = {}
        self._lock = asyncio.Lock()

    async def resolve(self, name: str | None) -> ResolvedAgent:
        """Returns the agent of a name; None asks for the default agent.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            ConfigurationError: no agent was named and there is no default.
        """
        if name is not None and name in self._providers and await self._allows(name):
            return ResolvedAgent(name, self._providers[name], self)
        available = await self.all()
        if name in (None, "default"):
            only = available if len(available) == 1 else ()
            for candidate in (self._default, "default", *only):
                if candidate is not None and candidate in available:
                    return ResolvedAgent(candidate, available[candidate], self)
        if name is None:
            raise ConfigurationError(
                "The request names no agent and the runtime has no default agent. "
                f"Name one of: {', '.join(available) or '(no agent is registered)'}."
            )
        raise AgentNotFoundError(name, available)

    async def all(self) -> dict[str, Provider]:
        """Returns the agents that the caller may use, by name."""
        return {name: agent for name, agent in self._providers.items() if await self._allows(name)}

    async def may_read(self, agent_name: str) -> bool:
        """Whether the caller may read what an agent did: a run of theirs, by an agent they may still use.

        Of an agent that is not registered any more nobody can decide; its runs stay readable.
        """
        return agent_name not in self._providers or await self._allows(agent_name)

    async def _allows(self, name: str) -> bool:
        if self._authorize is None:
            return True
        async with self._lock:  # the fields of one GraphQL request are resolved concurrently
            if name not in self._verdicts:
                verdict = self._authorize(self._context, name)
                self._verdicts[name] = bool(await verdict if inspect.isawaitable(verdict) else verdict)
            return self._verdicts[name]


@dataclass(frozen=True, slots=True)
class ResolvedAgent:
    """An agent that the caller of a request may use.

    Attributes:
        name: the name under which it is registered.
        provider: what runs it.
        available: all agents that the caller may use.
    """

    name: str
    provider: Provider
    available: AvailableAgents
