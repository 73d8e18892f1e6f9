"""Agents and teams of Agno, through its own AG-UI interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from ag_ui.core import RunAgentInput
from agno.agent import Agent, RemoteAgent
from agno.os.interfaces.agui.router import run_entity
from agno.os.middleware.user_scope import assert_session_writable
from agno.team import RemoteTeam, Team
from fastapi import HTTPException

from ..agui.events import Event, event_from
from ..context import RequestContext
from ..errors import ThreadNotFoundError
from .base import Provider, close_stream

Entity: TypeAlias = Agent | RemoteAgent | Team | RemoteTeam


class AgnoProvider(Provider):
    """Runs an Agno agent or team.

    A thread is a session in Agno's database, and the request's owner is its user. Needs `agno` version 3.

    Args:
        agent: the agent or team. It is shared by all runs, as Agno intends.
        description: one sentence for frontends and other agents.
    """

    def __init__(self, agent: Entity, *, description: str = "") -> None:
        self._agent = agent
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the events of a run.

        Raises:
            ThreadNotFoundError: the session is another user's.
            AgnoError: the agent failed. Agno has logged why; its interface would send that to the client.
        """
        await self._check_owner(input.thread_id, context)
        stream = run_entity(self._agent, input, user_id=context.owner)
        try:
            async for event in stream:
                if event.type == "RUN_ERROR":
                    raise AgnoError(getattr(event, "message", ""))
                yield event_from(event)
        finally:
            await close_stream(stream)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Deletes the session of a thread."""
        if isinstance(self._agent, Agent | Team) and self._agent.db is not None:
            await self._check_owner(thread_id, context)
            await self._agent.adelete_session(session_id=thread_id, user_id=context.owner)

    async def _check_owner(self, thread_id: str, context: RequestContext) -> None:
        try:
            await assert_session_writable(getattr(self._agent, "db", None), thread_id, context.owner)
        except HTTPException as error:
            raise ThreadNotFoundError(thread_id) from error


class AgnoError(Exception):
    """An agent or team of Agno failed."""
