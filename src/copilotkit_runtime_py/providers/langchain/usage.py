"""The tokens that chat models of LangChain use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ag_ui.core import token_usage_from_langchain_metadata
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import add_usage
from langchain_core.outputs import ChatGeneration, LLMResult

from ...agui.usage import record_usage


class UsageCallbacks(BaseCallbackHandler):
    """Adds what each model call has used to the current run. One per run.

    A call is counted at its end, where LangChain has joined what its chunks report: chunks and the whole
    answer report the same tokens. A call that fails or is cancelled counts as far as it reported them.
    """

    run_inline = True

    def __init__(self) -> None:
        self._models: dict[UUID, Mapping[str, Any]] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Notes which model is asked."""
        self._models[run_id] = metadata or {}

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Counts the call."""
        asked = self._models.pop(run_id, {})
        for generation in (each for batch in response.generations for each in batch):
            if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                _record(generation.message, asked)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Counts what the failed call has reported."""
        response = kwargs.get("response")
        if isinstance(response, LLMResult):
            self.on_llm_end(response, run_id=run_id)
        self._models.pop(run_id, None)


class StreamedUsage:
    """Counts the tokens of a graph elsewhere by its stream of messages. One per run."""

    def __init__(self) -> None:
        self._messages: dict[str | None, tuple[AIMessage, Mapping[str, Any]]] = {}

    def add(self, message: BaseMessage, metadata: Mapping[str, Any]) -> None:
        """Takes a chunk, or a whole message. What was streamed counts, not the whole of it again."""
        known, _ = self._messages.get(message.id, (None, None))
        if isinstance(message, AIMessageChunk) and message.usage_metadata is not None:
            usage = add_usage(known.usage_metadata if known is not None else None, message.usage_metadata)
            message = message.model_copy(update={"usage_metadata": usage})
            self._messages[message.id] = message, metadata
        elif isinstance(message, AIMessage) and known is None and message.usage_metadata is not None:
            self._messages[message.id] = message, metadata

    def record(self) -> None:
        """Adds what was used to the current run."""
        for message, metadata in self._messages.values():
            _record(message, metadata)
        self._messages.clear()


def _record(message: AIMessage, asked: Mapping[str, Any]) -> None:
    answered = message.response_metadata
    model = answered.get("model_name") or answered.get("model") or asked.get("ls_model_name")
    provider = answered.get("model_provider") or asked.get("ls_provider")
    record_usage(
        token_usage_from_langchain_metadata(
            message.usage_metadata,
            provider=provider if isinstance(provider, str) else None,
            model=model if isinstance(model, str) else None,
        )
    )
