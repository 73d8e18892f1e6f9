"""The agents of a runtime, and which of them the caller of a request may use."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..context import RequestContext
from ..errors import AgentNotFoundError, ConfigurationError
from .base import Provider
from .resolve import AgentLike, as_provider

Authorize: TypeAlias = Callable[[RequestContext, str], bool | Awaitable[bool]]
"""Whether the caller of a request may use the agent of a name."""


AgentsOf: TypeAlias = Callable[[RequestContext], Mapping[str, AgentLike] | Awaitable[Mapping[str, AgentLike]]]
"""Returns the agents of the caller of a request, by name; a plain or an async function."""

# How many agents, or sets of agents, that a function returned are remembered.
_REMEMBERED: Final = 1_000


class AgentDirectory:
    """Every agent of a runtime.

    Args:
        agents: what can be run, by name, or a function that returns it for the caller of a request.
        default: the agent for requests that name none. Without it, that is the agent named `default`, or
            the only one that the caller may use.
        authorize: decides who may use which agent. Without it, every caller may use all.
        cache_key: with a function, returns what its result depends on, such as the user's tenant: requests
            with the same key get the same agents. Without it, the function is called for each request.
        url: where the runtime stores threads, if others can use that place; see `Provider.use_store`.

    Attributes:
        providers: every agent, by name; with a function, none.

    Raises:
        ConfigurationError: an agent cannot be run, or the default agent is not registered.
    """

    def __init__(
        self,
        agents: Mapping[str, AgentLike] | AgentsOf,
        *,
        default: str | None,
        authorize: Authorize | None,
        cache_key: Callable[[RequestContext], Hashable] | None = None,
        url: str | None = None,
    ) -> None:
        self.providers: dict[str, Provider] = {}
        self._default = default
        self._authorize = authorize
        self._agents_of = agents if callable(agents) else None
        self._cache_key = cache_key
        self._url = url
        self._known: OrderedDict[tuple[str, object], tuple[AgentLike, Provider]] = OrderedDict()
        self._sets: OrderedDict[Hashable, dict[str, Provider]] = OrderedDict()
        if not callable(agents):
            self.providers.update({name: as_provider(agent) for name, agent in agents.items()})
            if default is not None and default not in self.providers:
                raise ConfigurationError(f"The default agent '{default}' is not registered.")
            for name, provider in self.providers.items():
                provider.use_store(url, name)

    @property
    def by_request(self) -> bool:
        """Whether a function returns the agents."""
        return self._agents_of is not None

    def in_use(self) -> set[Provider]:
        """Returns all agents that there are, and those that a function returned lately."""
        made = (provider for _, provider in self._known.values())
        return {*self.providers.values(), *made}

    def for_caller(self, context: RequestContext) -> AvailableAgents:
        """Returns the agents that the caller of a request may use."""
        return AvailableAgents(self, self._default, self._authorize, context)

    async def providers_for(self, context: RequestContext) -> Mapping[str, Provider]:
        """Returns the agents of the caller of a request, whether or not they may use them.

        Raises:
            TypeError: the function returned something that is not an agent.
        """
        if self._agents_of is None:
            return self.providers
        key = self._cache_key(context) if self._cache_key is not None else None
        if self._cache_key is not None and key in self._sets:
            self._sets.move_to_end(key)
            return self._sets[key]
        agents = self._agents_of(context)
        if inspect.isawaitable(agents):
            agents = await agents
        providers = {name: self._provider(name, agent) for name, agent in agents.items()}
        if self._cache_key is not None:
            self._sets[key] = providers
            if len(self._sets) > _REMEMBERED:
                self._sets.popitem(last=False)
        return providers

    def _provider(self, name: str, agent: AgentLike) -> Provider:
        """Returns what runs an agent: the same as before if the function returned this object before."""
        identity = (name, agent if isinstance(agent, str) else id(agent))
        if identity in self._known:
            self._known.move_to_end(identity)
            return self._known[identity][1]
        provider = as_provider(agent)
        provider.use_store(self._url, name)
        self._known[identity] = agent, provider
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return provider


class AvailableAgents:
    """The agents that the caller of one request may use. To the caller, others do not exist.

    `authorize` is asked about each agent once: it may query a database, and two answers within one request
    could contradict each other.

    Args:
        directory: every agent.
        default: the agent for requests that name none.
        authorize: decides.
        context: the request.
    """

    def __init__(
        self,
        directory: AgentDirectory,
        default: str | None,
        authorize: Authorize | None,
        context: RequestContext,
    ) -> None:
        self._directory = directory
        self._providers: Mapping[str, Provider] | None = None
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
        providers = await self._registered()
        if name is not None and name in providers and await self._allows(name):
            return ResolvedAgent(name, providers[name], self)
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
        providers = await self._registered()
        return {name: agent for name, agent in providers.items() if await self._allows(name)}

    async def may_read(self, agent_name: str) -> bool:
        """Whether the caller may read what an agent did: a run of theirs, by an agent they may still use.

        Without a function that returns the caller's agents, an agent may be unregistered: its runs stay
        readable.
        """
        if agent_name not in await self._registered():
            return not self._directory.by_request
        return await self._allows(agent_name)

    async def _registered(self) -> Mapping[str, Provider]:
        async with self._lock:  # the fields of one GraphQL request are resolved concurrently
            if self._providers is None:
                self._providers = await self._directory.providers_for(self._context)
            return self._providers

    async def _allows(self, name: str) -> bool:
        if self._authorize is None:
            return True
        async with self._lock:
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
