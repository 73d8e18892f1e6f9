"""What the server remembers of a thread, in the form of a graph's own memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata
from langgraph.types import Interrupt, PregelTask, StateSnapshot
from langgraph_sdk.schema import ThreadState

from .parts import interrupt_from, messages_from
from .server import Server


class Memory:
    """One thread's memory on the server, with the methods of a graph that a plan is made with.

    Args:
        server: the server.
        server_thread_id: the thread's id there.
        headers: sent with every request.
    """

    def __init__(self, server: Server, server_thread_id: str, headers: Mapping[str, str]) -> None:
        self._server = server
        self._id = server_thread_id
        self._headers = headers

    async def aget_state(self) -> StateSnapshot:
        """Returns the present state."""
        client = self._server.client
        state = await self._server.ask(lambda: client.threads.get_state(self._id, headers=self._headers))
        return snapshot_from(state)

    async def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Mapping[str, Any] | None = None,
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
                metadata=dict(filter) if filter is not None else None,
                headers=self._headers,
            )
        )
        for state in states:
            yield snapshot_from(state)


def snapshot_from(state: ThreadState) -> StateSnapshot:
    """Returns a state that the server sent as the graph itself would have it."""
    values: Any = state["values"]
    if isinstance(values, dict) and isinstance(values.get("messages"), list):
        values = {**values, "messages": messages_from(values["messages"])}
    tasks = tuple(_task(task) for task in state["tasks"] or ())
    return StateSnapshot(
        values=values,
        next=tuple(state["next"] or ()),
        config=_config(state.get("checkpoint")),
        metadata=cast(CheckpointMetadata, state["metadata"]) if state["metadata"] else None,
        created_at=state["created_at"],
        parent_config=_config(state["parent_checkpoint"]) if state.get("parent_checkpoint") else None,
        tasks=tasks,
        interrupts=tuple(interrupt for task in tasks for interrupt in task.interrupts),
    )


def _task(task: Mapping[str, Any]) -> PregelTask:
    error = task.get("error")
    result = task.get("result")
    if isinstance(result, dict) and isinstance(result.get("messages"), list):
        result = {**result, "messages": messages_from(result["messages"])}
    return PregelTask(
        id=task["id"],
        name=task["name"],
        path=(),
        error=RuntimeError(error) if error else None,
        interrupts=tuple(Interrupt(**interrupt_from(each)) for each in task.get("interrupts") or ()),
        state=None,
        result=result,
    )


def _config(checkpoint: Any) -> RunnableConfig:
    return {"configurable": dict(checkpoint or {})}
