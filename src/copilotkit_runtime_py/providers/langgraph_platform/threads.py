"""Threads: their ids on the server, and their owners."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Thread

from ...context import ANONYMOUS, RequestContext
from ...errors import ThreadNotFoundError
from .server import Server

OWNER: Final = "copilotkit_owner"
"""The key of a thread's metadata for its owner, unless that is the anonymous user."""

THREAD_ID: Final = "copilotkit_thread_id"
"""The key of a thread's metadata for its id outside of the server."""

PROBE: Final = "copilotkit_probe"
"""The key that marks a thread as not a conversation."""

# Each comes with its whole state.
_PAGE: Final = 20
_NAMESPACE: Final = uuid.UUID("6d1fd1a6-0f66-5c9c-9c0e-8f3f9c1f6a55")


def server_id(thread_id: str) -> str:
    """Returns the id of a thread on the server, which takes UUIDs only.

    A UUID in its usual form stays as it is, so that threads which other programs made are found. Any other
    id becomes a UUID that depends on nothing else.
    """
    try:
        if str(uuid.UUID(thread_id)) == thread_id:
            return thread_id
    except ValueError:
        pass
    return str(uuid.uuid5(_NAMESPACE, thread_id))


def thread_id_of(thread: Mapping[str, Any]) -> str:
    """Returns the id by which a thread of the server is known outside."""
    return str(_metadata(thread).get(THREAD_ID) or thread["thread_id"])


def owner_of(thread: Mapping[str, Any]) -> str | None:
    """Returns the owner that the server has on record for a thread."""
    owner = _metadata(thread).get(OWNER)
    return owner if isinstance(owner, str) else None


def _metadata(thread: Mapping[str, Any]) -> Mapping[str, Any]:
    return thread.get("metadata") or {}


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of one graph on a server.

    Runs of different graphs do not meet on one thread: where a thread of that id is another graph's, this
    graph has a thread of its own under another id.

    Attributes:
        server: the server.
        graph_id: the graph.
    """

    server: Server
    graph_id: str

    async def find(self, thread_id: str, context: RequestContext) -> Thread | None:
        """Returns a thread, or None if there is none.

        Raises:
            ThreadNotFoundError: it is another owner's.
            AgentError: the server refuses, or cannot be reached.
        """
        for id in self._ids(thread_id):
            thread = await self._get(id, context)
            if thread is None or self._is_own(thread):
                return self._checked(thread, thread_id, context)
        return None

    async def open(
        self, thread_id: str, context: RequestContext, metadata: Mapping[str, Any] | None = None
    ) -> Thread:
        """Returns a thread, which is made if there is none.

        Args:
            thread_id: the thread.
            context: the caller.
            metadata: what a new thread gets besides what is stored here.

        Raises:
            ThreadNotFoundError: it is another owner's.
            AgentError: the server refuses, or cannot be reached.
        """
        client, headers = self.server.client, self.server.headers(context)
        own: dict[str, Any] = {**(metadata or {}), THREAD_ID: thread_id, "graph_id": self.graph_id}
        if context.owner != ANONYMOUS:
            own[OWNER] = context.owner
        for id in self._ids(thread_id):
            thread = await self.server.ask(
                lambda id=id: client.threads.create(  # type: ignore[misc]
                    thread_id=id, metadata=own, if_exists="do_nothing", headers=headers
                )
            )
            if self._is_own(thread):
                break
        checked = self._checked(thread, thread_id, context)
        assert checked is not None
        return checked

    async def note(self, thread: Thread, metadata: Mapping[str, Any], context: RequestContext) -> None:
        """Adds to the metadata of a thread.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        client, headers = self.server.client, self.server.headers(context)
        await self.server.ask(
            lambda: client.threads.update(thread["thread_id"], metadata=dict(metadata), headers=headers)
        )

    async def delete(self, thread_id: str, context: RequestContext) -> None:
        """Deletes a thread, if there is one that is the caller's.

        Raises:
            ThreadNotFoundError: it is another owner's.
            AgentError: the server refuses, or cannot be reached.
        """
        thread = await self.find(thread_id, context)
        if thread is None:
            return
        client, headers = self.server.client, self.server.headers(context)

        async def call() -> None:
            with contextlib.suppress(NotFoundError):
                await client.threads.delete(thread["thread_id"], headers=headers)

        await self.server.ask(call)

    async def search(self, context: RequestContext) -> AsyncIterator[Thread]:
        """Yields the threads of the graph that hold a conversation, the oldest first, whoever owns them.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        client, headers = self.server.client, self.server.headers(context)
        for offset in itertools.count(0, _PAGE):
            page = await self.server.ask(
                lambda offset=offset: client.threads.search(  # type: ignore[misc]
                    metadata={"graph_id": self.graph_id},
                    limit=_PAGE,
                    offset=offset,
                    sort_by="created_at",
                    sort_order="asc",
                    headers=headers,
                )
            )
            for thread in page:
                if thread["values"] and not _metadata(thread).get(PROBE):
                    yield thread
            if len(page) < _PAGE:
                return

    async def count(self, context: RequestContext) -> int:
        """Returns how many threads the graph has.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        client, headers = self.server.client, self.server.headers(context)
        return await self.server.ask(
            lambda: client.threads.count(metadata={"graph_id": self.graph_id}, headers=headers)
        )

    async def _get(self, id: str, context: RequestContext) -> Thread | None:
        client, headers = self.server.client, self.server.headers(context)

        async def call() -> Thread | None:
            try:
                return await client.threads.get(id, headers=headers)
            except NotFoundError:
                return None

        return await self.server.ask(call)

    def _ids(self, thread_id: str) -> tuple[str, str]:
        """The ids to look under: the second where another graph has the first."""
        return server_id(thread_id), str(uuid.uuid5(_NAMESPACE, f"{self.graph_id}:{thread_id}"))

    def _is_own(self, thread: Thread) -> bool:
        return _metadata(thread).get("graph_id") in (None, self.graph_id)

    def _checked(self, thread: Thread | None, thread_id: str, context: RequestContext) -> Thread | None:
        if thread is not None and (owner_of(thread) or context.owner) != context.owner:
            raise ThreadNotFoundError(thread_id)
        return thread
