"""Edits of the checkpoint that a thread stands at, through the interface that every checkpointer has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.channels.base import BaseChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointTuple, empty_checkpoint
from langgraph.pregel import Pregel
from langgraph.types import Overwrite, StateSnapshot

Graph: TypeAlias = Pregel[Any, Any, Any, Any]


class Checkpoints(Protocol):
    """The checkpoints of a graph elsewhere, such as on a LangGraph server."""

    def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """See `Pregel.aget_state_history`."""

    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """See `Pregel.aget_state`."""

    async def aupdate_state(self, config: RunnableConfig, values: dict[str, Any]) -> Any:
        """See `Pregel.aupdate_state`."""

    async def amend(self, config: RunnableConfig, update: Mapping[str, Any]) -> dict[str, Any]:
        """See `amend`."""


_COMMAND: Final = "00000000-0000-0000-0000-000000000000"
"""The task under which checkpointers store what a `Command` writes, until its superstep is over."""


async def amend(
    graph: Graph | Checkpoints, config: RunnableConfig, update: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes to the channels of a paused thread, and returns the writes that a `Command` has to make.

    Answers to the questions of one superstep may arrive one at a time. `Command(update=…)` stores its writes
    beside the checkpoint until the superstep is over, and LangGraph rejects a channel that is written twice
    there, then and whenever the thread is read. Written into the checkpoint itself, the value that comes with
    a later answer replaces the earlier one, and the tasks of the superstep stay as they are.

    Checkpoints do not hold the values of channels that store changes (`DeltaChannel`), so their writes are
    returned. Such a channel takes many writes, but only one replacement: a second one is left out.
    """
    if not isinstance(graph, Pregel):
        return await graph.amend(config, update)
    saver, found = await _load(graph, config)
    graph = await _graph_at(graph, config)
    pending = {channel for channel, _ in _command_writes(found)}
    now: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for name, value in update.items():
        if not _stores_changes(graph, name):
            now[name] = value
        elif name not in pending or not isinstance(value, Overwrite):
            later[name] = value
    if now:
        await _save(saver, found, _written(graph, saver, found.checkpoint, now.items()))
    return later


async def heal(graph: Graph, config: RunnableConfig) -> None:
    """Replaces a checkpoint that cannot be read because a channel was written twice beside it.

    The last write to each channel becomes its value. The tasks of the superstep begin again, so that they ask
    again what they had asked.
    """
    saver, found = await _load(graph, config)
    writes = _command_writes(found)
    fresh = empty_checkpoint()
    checkpoint = _written(graph, saver, found.checkpoint, writes)
    replaced = await _save(saver, found, {**checkpoint, "id": fresh["id"], "ts": fresh["ts"]})
    changes = [(name, value) for name, value in writes if _stores_changes(graph, name)]
    if changes:
        await saver.aput_writes(replaced, changes, _COMMAND)


async def _graph_at(graph: Graph, config: RunnableConfig) -> Graph:
    """Returns the graph inside a graph to which a configuration points, or the graph itself."""
    namespace = config.get("configurable", {}).get("checkpoint_ns") or ""
    path = "|".join(part.partition(":")[0] for part in namespace.split("|") if not part.isdecimal())
    if path:
        async for name, inside in graph.aget_subgraphs(namespace=path, recurse=True):
            if name == path:
                return cast(Graph, inside)
    return graph


async def _load(graph: Graph, config: RunnableConfig) -> tuple[BaseCheckpointSaver[Any], CheckpointTuple]:
    saver = cast(BaseCheckpointSaver[Any], graph.checkpointer)
    found = await saver.aget_tuple(config)
    if found is None:
        raise LookupError("The thread has no checkpoint")
    return saver, found


def _command_writes(found: CheckpointTuple) -> list[tuple[str, Any]]:
    return [(channel, value) for task, channel, value in found.pending_writes or () if task == _COMMAND]


def _stores_changes(graph: Graph, channel: str) -> bool:
    # The older kind of channel with a reducer names it `operator`.
    return hasattr(graph.channels.get(channel), "reducer")


def _written(
    graph: Graph, saver: BaseCheckpointSaver[Any], checkpoint: Checkpoint, writes: Iterable[tuple[str, Any]]
) -> Checkpoint:
    values, versions = dict(checkpoint["channel_values"]), dict(checkpoint["channel_versions"])
    for name, value in writes:
        spec = graph.channels.get(name)
        if not isinstance(spec, BaseChannel) or _stores_changes(graph, name):
            continue
        channel = spec.from_checkpoint(values[name]) if name in values else spec.copy()
        channel.update([value])
        values[name] = channel.checkpoint()
        versions[name] = saver.get_next_version(max(versions.values(), default=None), None)
    return {**checkpoint, "channel_values": values, "channel_versions": versions}


async def _save(
    saver: BaseCheckpointSaver[Any], found: CheckpointTuple, checkpoint: Checkpoint
) -> RunnableConfig:
    """Saves what replaces a checkpoint, under the same parent."""
    parent = found.parent_config
    if parent is None:
        configurable = {k: v for k, v in found.config["configurable"].items() if k != "checkpoint_id"}
        parent = {"configurable": configurable}
    before = found.checkpoint["channel_versions"]
    versions = {k: v for k, v in checkpoint["channel_versions"].items() if before.get(k) != v}
    return await saver.aput(parent, checkpoint, found.metadata, versions)
