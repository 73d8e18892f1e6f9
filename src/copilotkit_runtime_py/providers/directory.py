"""The agents of a runtime, as each caller may see them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ..context import RequestContext
from ..errors import AgentNotFoundError, ConfigurationError
from .base import Provider
from .resolve import AgentLike, as_provider

Authorize: TypeAlias = Callable[[RequestContext, str], bool | Awaitable[bool]]
"""Whether the caller of a request may use the agent of a name."""


class AgentDirectory:
    """Finds agents by name. One that a caller may not use does not exist for them.

    Args:
        agents: what can be run, by name.
        default: who answers where no agent is named. Without it, the agent named `default` does, or the only
            one that the caller may use.
        authorize: says who may use which agent; without it, all may use all.

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

    async def name(self, name: str | None, context: RequestContext) -> str:
        """Returns the name of the agent that answers to `name`; None asks for the default agent.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            ConfigurationError: no agent was named and there is no default.
        """
        if name in self.providers and await self.allows(context, name):
            return name
        offered = await self.offered(context)
        if name in (None, "default"):
            if self._default in offered:
                return self._default
            if "default" in offered:
                return "default"
            if len(offered) == 1:
                return next(iter(offered))
        if name is None:
            raise ConfigurationError(
                "The request names no agent and the runtime has no default agent. "
                f"Name one of: {', '.join(offered) or '(no agent is registered)'}."
            )
        raise AgentNotFoundError(name, offered)

    async def offered(self, context: RequestContext) -> dict[str, Provider]:
        """Returns the agents that the caller may use."""
        return {name: agent for name, agent in self.providers.items() if await self.allows(context, name)}

    async def allows(self, context: RequestContext, name: str) -> bool:
        """Whether the caller may use the agent of a name, if there is one."""
        if self._authorize is None:
            return True
        allowed = self._authorize(context, name)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)
