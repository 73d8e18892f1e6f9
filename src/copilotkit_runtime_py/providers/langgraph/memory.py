"""A checkpointer for graphs that bring none."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver


class RecentThreads(InMemorySaver):
    """Keeps the checkpoints of the threads that were used last, in this process only.

    Args:
        max_threads: the most threads to store. Older ones are forgotten.
    """

    def __init__(self, max_threads: int = 1_000) -> None:
        super().__init__()
        self._max_threads = max_threads
        self._threads: dict[str, None] = {}

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: dict[str, Any],
    ) -> RunnableConfig:
        """Saves a checkpoint, and forgets the thread that was used longest ago if there are too many."""
        thread = config["configurable"]["thread_id"]
        self._threads.pop(thread, None)
        self._threads[thread] = None
        if len(self._threads) > self._max_threads:
            oldest = next(iter(self._threads))
            del self._threads[oldest]
            self.delete_thread(oldest)
        return super().put(config, checkpoint, metadata, new_versions)
