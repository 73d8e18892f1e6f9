"""A checkpointer in the place where the runtime keeps its threads, for graphs that bring none."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from urllib.parse import quote

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)

from ...errors import StoreUnavailableError
from .savers import Saver, open_saver, outages

T = TypeVar("T")

RETRY_SECONDS = (0.1, 0.3, 1.0, 3.0)
"""The waits before a call that failed because the database was unavailable or busy is retried."""


class StoredThreads(BaseCheckpointSaver[str]):
    """Keeps one agent's checkpoints in the place where the runtime keeps its threads.

    LangGraph's own saver for that place does the work; it is opened when it is first needed. The thread's id
    there has the agent's name before it, so agents that share a thread remember it each for themselves.

    Args:
        url: where the runtime keeps its threads.
        agent_name: the agent.
    """

    def __init__(self, url: str, agent_name: str) -> None:
        super().__init__()
        self._place = _Place(url)
        self._prefix = f"{quote(agent_name, safe='')}:"
        self._allowed: frozenset[tuple[str, ...]] = frozenset()

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> StoredThreads:
        """Returns a checkpointer that also restores objects of these types."""
        clone = copy.copy(self)
        clone._allowed = self._allowed | frozenset(extra_allowlist)
        return clone

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Returns the checkpoint that a configuration asks for."""
        found = await self._try(lambda saver: saver.aget_tuple(self._inside(config)))
        return None if found is None else self._outside(found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yields the checkpoints of a thread, the newest first."""
        if config is None:
            raise ValueError("Only the checkpoints of a thread can be listed")
        inside = self._inside(config)
        earlier = self._inside(before) if before is not None else None

        async def collect(saver: Saver) -> list[CheckpointTuple]:
            found = saver.alist(inside, filter=filter, before=earlier, limit=limit)
            return [each async for each in found]

        for each in await self._try(collect):
            yield self._outside(each)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: dict[str, Any],
    ) -> RunnableConfig:
        """Keeps a checkpoint."""
        inside = self._inside(config)
        # Not every saver adds what the configuration says, such as the owner of the thread.
        whole = get_checkpoint_metadata(config, metadata)
        kept = await self._try(lambda saver: saver.aput(inside, checkpoint, whole, new_versions))
        return self._renamed(kept, config["configurable"]["thread_id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keeps what a task of an unfinished step has written."""
        inside = self._inside(config)
        await self._try(lambda saver: saver.aput_writes(inside, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes the checkpoints of a thread."""
        await self._try(lambda saver: saver.adelete_thread(self._prefix + thread_id))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """Returns what was written to channels that are kept as changes."""
        inside = self._inside(config)
        return await self._try(
            lambda saver: saver.aget_delta_channel_history(config=inside, channels=channels)
        )

    async def opened(self) -> tuple[Saver, str]:
        """Returns LangGraph's own saver, and what thread ids begin with there."""
        return await self._place.open(), self._prefix

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Does what `aget_tuple` does, from the thread of a node that is no coroutine; so do those below."""
        return self._wait(self.aget_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `alist`."""

        async def collect() -> list[CheckpointTuple]:
            return [each async for each in self.alist(config, filter=filter, before=before, limit=limit)]

        yield from self._wait(collect())

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: dict[str, Any],
    ) -> RunnableConfig:
        """See `aput`."""
        return self._wait(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `aput_writes`."""
        self._wait(self.aput_writes(config, writes, task_id, task_path))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """See `aget_delta_channel_history`."""
        return self._wait(self.aget_delta_channel_history(config=config, channels=channels))

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Returns the version that follows another, as LangGraph's saver counts them."""
        return str(self._place.opened.get_next_version(current, channel))

    async def aclose(self) -> None:
        """Closes the saver."""
        await self._place.aclose()

    async def _try(self, action: Callable[[Saver], Awaitable[T]]) -> T:
        """Does something that changes nothing when it is done again, until the database lets it."""
        for wait in (*RETRY_SECONDS, None):
            try:
                saver = await self._place.open()
                return await action(saver.with_allowlist(self._allowed) if self._allowed else saver)
            except self._place.outages as error:
                if wait is None:
                    raise StoreUnavailableError from error
                await asyncio.sleep(wait)
        raise AssertionError

    def _wait(self, action: Coroutine[Any, Any, T]) -> T:
        loop = self._place.loop
        try:
            on_loop = asyncio.get_running_loop() is loop
        except RuntimeError:
            on_loop = False
        if on_loop or loop is None:
            action.close()
            raise RuntimeError("On the event loop, call the graph's asynchronous methods, such as ainvoke()")
        return asyncio.run_coroutine_threadsafe(action, loop).result()

    def _inside(self, config: RunnableConfig) -> RunnableConfig:
        return self._renamed(config, self._prefix + str(config["configurable"]["thread_id"]))

    def _outside(self, found: CheckpointTuple) -> CheckpointTuple:
        thread_id = str(found.config["configurable"]["thread_id"]).removeprefix(self._prefix)
        parent = found.parent_config
        return found._replace(
            config=self._renamed(found.config, thread_id),
            parent_config=self._renamed(parent, thread_id) if parent is not None else None,
        )

    @staticmethod
    def _renamed(config: RunnableConfig, thread_id: str) -> RunnableConfig:
        return {**config, "configurable": {**config["configurable"], "thread_id": thread_id}}


class _Place:
    """The saver of a URL, opened when it is first asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._saver: Saver | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        return outages(self._url)

    @property
    def opened(self) -> Saver:
        if self._saver is None:
            raise RuntimeError("The graph has not asked for its memory yet")
        return self._saver

    async def open(self) -> Saver:
        if self._saver is None:
            async with self._lock:
                if self._saver is None:
                    self._saver = await self._stack.enter_async_context(open_saver(self._url))
                    self.loop = asyncio.get_running_loop()
        return self._saver

    async def aclose(self) -> None:
        self._saver = None
        await self._stack.aclose()
