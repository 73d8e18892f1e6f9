"""What the server remembers of a thread, in the form of a graph's own memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata
from langgraph.types import Interrupt, Overwrite, PregelTask, StateSnapshot
from langgraph_sdk.schema import Thread, ThreadState

from ..langgraph.schema import PLUMBING
from .message_ids import MessageIds
from .parts import interrupt_from, messages_from
from .request import to_server
from .server import Server

_ANSWERED: Final = "copilotkit_answered"
"""The key of a thread's metadata for the channels that were written with answers to its open questions."""


class Memory:
    """One thread's memory on the server, with the methods of a graph that a plan is made with.

    Args:
        server: the server.
        thread: the thread.
        headers: sent with every request.
        ids: the ids by which clients know the thread's messages.

    Attributes:
        reduced: the channels that have a reducer.
        unwritten: what `amend` has left out.
    """

    def __init__(self, server: Server, thread: Thread, headers: Mapping[str, str], ids: MessageIds) -> None:
        self._server = server
        self._thread = thread
        self._id = thread["thread_id"]
        self._headers = headers
        self._ids = ids
        self._checkpoint_id: str | None = None
        self.reduced: frozenset[str] = frozenset()
        self.unwritten: dict[str, Any] = {}

    async def aget_state(
        self, config: RunnableConfig | None = None, *, subgraphs: bool = False
    ) -> StateSnapshot:
        """Returns the present state."""
        client = self._server.client
        state = await self._server.ask(
            lambda: client.threads.get_state(self._id, subgraphs=subgraphs, headers=self._headers)
        )
        found = snapshot_from(state, self._ids)
        self._checkpoint_id = found.config["configurable"].get("checkpoint_id")
        return found

    async def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """Yields earlier states, the newest first. See `Pregel.aget_state_history`."""
        client = self._server.client
        last: Any = before["configurable"] if before is not None else None
        states = await self._server.ask(
            lambda: client.threads.get_history(
                self._id,
                limit=limit or 10,
                before=last,
                metadata=filter,
                headers=self._headers,
            )
        )
        for state in states:
            yield snapshot_from(state, self._ids)

    async def aupdate_state(self, config: RunnableConfig, values: dict[str, Any]) -> None:
        """Writes to the channels of a paused thread. See `Pregel.aupdate_state`."""
        client, sent = self._server.client, to_server(values, self._ids)
        place = _inside(config)
        await self._server.ask(
            lambda: client.threads.update_state(self._id, sent, checkpoint=place, headers=self._headers)
        )

    async def amend(self, config: RunnableConfig, update: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a `Command` may write beside an answer.

        LangGraph rejects a channel without a reducer that is written twice within one superstep, and cannot
        read the thread any more. The answers to the questions of a superstep may arrive one at a time, and
        the server does not show what was written with the one before. So the thread's metadata has the
        channels, and a later answer does not write them again.
        """
        if _inside(config) is not None:
            return dict(update)
        record = (self._thread["metadata"] or {}).get(_ANSWERED)
        written: set[str] = set()
        if isinstance(record, dict) and record.get("checkpoint") == self._checkpoint_id:
            written.update(record["channels"])
        added = {
            name: value
            for name, value in update.items()
            if name in self.reduced and not isinstance(value, Overwrite)
        }
        once = {k: value for k, value in update.items() if k not in added and k not in written}
        self.unwritten = {
            name: value.value if isinstance(value, Overwrite) else value
            for name, value in update.items()
            if name in written and name not in added and name not in PLUMBING
        }
        if once:
            channels = sorted(written | once.keys())
            metadata = {_ANSWERED: {"checkpoint": self._checkpoint_id, "channels": channels}}
            client = self._server.client
            await self._server.ask(
                lambda: client.threads.update(self._id, metadata=metadata, headers=self._headers)
            )
        return added | once


def snapshot_from(state: ThreadState, ids: MessageIds) -> StateSnapshot:
    """Returns a state that the server sent as the graph itself would have it."""
    values: Any = state.get("values") or {}
    if isinstance(values, dict) and isinstance(values.get("messages"), list):
        values = {**values, "messages": ids.outside(messages_from(values["messages"]))}
    tasks = tuple(_task(task, ids) for task in state.get("tasks") or ())
    metadata = state.get("metadata")
    return StateSnapshot(
        values=values,
        next=tuple(state.get("next") or ()),
        config=_config(state.get("checkpoint")),
        metadata=cast(CheckpointMetadata, metadata) if metadata else None,
        created_at=state.get("created_at"),
        parent_config=_config(state["parent_checkpoint"]) if state.get("parent_checkpoint") else None,
        tasks=tasks,
        interrupts=tuple(interrupt for task in tasks for interrupt in task.interrupts),
    )


def snapshot_of(thread: Thread) -> StateSnapshot:
    """Returns the state that the server lists with a thread: its values and the interrupts that are open."""
    tasks = [
        {"id": id, "name": "", "interrupts": interrupts}
        for id, interrupts in (thread.get("interrupts") or {}).items()
    ]
    state: Any = {
        "values": thread["values"],
        "next": [],
        "tasks": tasks,
        "metadata": thread["metadata"],
        "created_at": None,
    }
    return snapshot_from(state, MessageIds(thread["metadata"]))


def _task(task: Mapping[str, Any], ids: MessageIds) -> PregelTask:
    error = task.get("error")
    result = task.get("result")
    inside = task.get("state")
    if isinstance(result, dict) and isinstance(result.get("messages"), list):
        result = {**result, "messages": ids.outside(messages_from(result["messages"]))}
    place: Any = _config(task["checkpoint"]) if task.get("checkpoint") else None
    return PregelTask(
        id=task["id"],
        name=task["name"],
        path=(),
        error=RuntimeError(error) if error else None,
        interrupts=tuple(Interrupt(**interrupt_from(each)) for each in task.get("interrupts") or ()),
        state=snapshot_from(cast(ThreadState, inside), ids) if inside else place,
        result=result,
    )


def _inside(config: RunnableConfig) -> Any:
    """Returns the checkpoint of a graph inside the graph to which a configuration points, if it does."""
    place = config.get("configurable", {})
    names = ("checkpoint_ns", "checkpoint_id")
    return {name: place.get(name) for name in names} if place.get("checkpoint_ns") else None


def _config(checkpoint: Any) -> RunnableConfig:
    return {"configurable": dict(checkpoint or {})}
