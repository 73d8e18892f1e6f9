"""The callback handler that a run adds to the graph's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
from langgraph.config import get_stream_writer


@dataclass(frozen=True, slots=True)
class DispatchedEvent:
    """A custom event that a node dispatched through LangChain, on its way through the graph's stream."""

    name: str
    data: Any


class RunCallbacks(BaseCallbackHandler):
    """Keeps message ids constant, and puts dispatched custom events into the graph's stream in order.

    It runs inline, that is before the model's or the node's next statement, and before LangGraph's own
    stream handler sees a chunk.
    """

    run_inline = True

    def __init__(self) -> None:
        self._message_ids: dict[UUID, str] = {}

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Gives every chunk of one model call the id of its first.

        Some chat models send the provider's id with one chunk and LangChain's with the others, and merging
        them yields another id than the one that was streamed.
        """
        if isinstance(chunk, ChatGenerationChunk):
            message = chunk.message
            if message.id is not None:
                message.id = self._message_ids.setdefault(run_id, message.id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Forgets the finished model call."""
        self._message_ids.pop(run_id, None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forgets the failed model call."""
        self._message_ids.pop(run_id, None)

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Passes the event on through the stream that the dispatching node writes to."""
        try:
            writer = get_stream_writer()
        except RuntimeError:  # dispatched outside any node
            return
        writer(DispatchedEvent(name, data))
