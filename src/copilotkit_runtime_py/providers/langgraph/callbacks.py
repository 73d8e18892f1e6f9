"""The callback handler that a run adds to the graph's own."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, GenerationChunk, LLMResult
from langgraph.config import get_stream_writer
from langgraph.types import Command

from ..langchain.content import text_of
from .repetition import Repetition
from .visibility import INSIDE_TOOL, INTERNAL


@dataclass(frozen=True, slots=True)
class DispatchedEvent:
    """A custom event that a node dispatched through LangChain, on its way through the graph's stream."""

    name: str
    data: Any


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool, on its way through the graph's stream before its node is done."""

    message: ToolMessage


class RunCallbacks(BaseCallbackHandler):
    """Observes what a run's stream does not contain. One per run.

    It keeps message ids constant, marks the calls inside tools and those for structured output as internal,
    and puts dispatched events and the results of tools into the graph's stream, in order. It runs inline,
    that is before the model's or the node's next statement, and before LangGraph's own stream handler.

    Args:
        tool_nodes: names of the nodes that leave the results of their tools as they are.

    Attributes:
        tool_tasks: the namespaces of tasks in which tools run.
        repetition: what interrupted nodes say again.
    """

    run_inline = True

    def __init__(self, tool_nodes: Collection[str] = ()) -> None:
        self.tool_tasks: set[str] = set()
        self.repetition = Repetition()
        self._tool_nodes = tool_nodes
        self._message_ids: dict[UUID, str] = {}
        self._inside_tools: set[UUID] = set()
        self._tools: dict[UUID, str] = {}
        self._tasks: dict[UUID, str] = {}
        self._answers: dict[str, dict[str, list[str]]] = {}

    # Nodes, and other chains

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Marks what runs inside a tool, and notes where nodes run."""
        metadata = metadata if metadata is not None else {}
        if parent_run_id in self._inside_tools:
            self._inside_tools.add(run_id)
            metadata[INTERNAL] = INSIDE_TOOL
        elif kwargs.get("name") is not None and kwargs["name"] == metadata.get("langgraph_node"):
            self._tasks[run_id] = str(metadata.get("langgraph_checkpoint_ns"))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Gives a message that a node made of a model's answer the id under which the answer was streamed."""
        self._inside_tools.discard(run_id)
        answers = self._answers.pop(self._tasks.pop(run_id, ""), None)
        if answers:
            made = list(_messages(outputs))
            taken = {_id(message) for message in made}
            for message in made:
                streamed = [id for id in answers.get(_text(message), ()) if id not in taken]
                if _id(message) is None and streamed:
                    taken.add(streamed[0])
                    if isinstance(message, BaseMessage):
                        message.id = streamed[0]
                    else:
                        message["id"] = streamed[0]

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forgets the failed node."""
        self._inside_tools.discard(run_id)
        self._answers.pop(self._tasks.pop(run_id, ""), None)

    # Models

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Marks a call inside a tool, and one for structured output."""
        if metadata is None:
            return
        structured = (kwargs.get("options") or {}).get("ls_structured_output_format")
        if structured or parent_run_id in self._inside_tools:
            metadata[INTERNAL] = "structured output" if structured else INSIDE_TOOL
        else:
            self._tasks[run_id] = str(metadata.get("langgraph_checkpoint_ns"))

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
        """Notes the answer for the nodes around the call."""
        self._message_ids.pop(run_id, None)
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        namespace = self._tasks.pop(run_id, None)
        if namespace is None or not isinstance(generation, ChatGeneration) or generation.message.id is None:
            return
        if text := text_of(generation.message.content):
            generation.message.id = self.repetition.take_id(namespace, text) or generation.message.id
            self._note_answer(namespace, generation.message.id, text)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forgets the failed model call."""
        self._message_ids.pop(run_id, None)
        self._tasks.pop(run_id, None)

    # Tools

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Notes where tools run."""
        metadata = metadata or {}
        if parent_run_id not in self._inside_tools:
            self._tools[run_id] = str(metadata.get("langgraph_node"))
        self.tool_tasks.add(str(metadata.get("langgraph_checkpoint_ns")))
        self._inside_tools.add(run_id)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Passes on the results, under the ids that they keep; those of other tools may still be due."""
        self._inside_tools.discard(run_id)
        if self._tools.pop(run_id, None) not in self._tool_nodes:
            return
        for message in _messages(output):
            if isinstance(message, ToolMessage):
                message.id = message.id or str(uuid.uuid4())
                _write(ToolResult(message))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forgets the failed tool."""
        self._inside_tools.discard(run_id)
        self._tools.pop(run_id, None)

    # Events

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Passes the event on through the stream that the dispatching node writes to."""
        if (emitted := emitted_message(name, data)) is not None:
            self._note_answer(str((metadata or {}).get("langgraph_checkpoint_ns")), *emitted)
        _write(DispatchedEvent(name, data))

    def _note_answer(self, namespace: str, id: str, text: str) -> None:
        """Notes what a client has of a task, for the nodes around it."""
        parts = namespace.split("|")
        for end in range(1, len(parts) + 1):
            answers = self._answers.setdefault("|".join(parts[:end]), {})
            answers.setdefault(text, []).append(id)


def emitted_message(name: str, data: Any) -> tuple[str, str] | None:
    """Returns the id and the text of a message that a node shows by hand with the functions of the SDK."""
    if name.removeprefix("copilotkit_") != "manually_emit_message" or not isinstance(data, Mapping):
        return None
    return str(data["message_id"]), str(data["message"])


def _write(part: Any) -> None:
    try:
        writer = get_stream_writer()
    except RuntimeError:  # outside any node
        return
    writer(part)


def _messages(outputs: Any) -> Iterator[Any]:
    """Yields the assistant's and the tools' messages that a node or a tool returns."""
    if isinstance(outputs, Command):
        yield from _messages(outputs.update)
    elif isinstance(outputs, AIMessage | ToolMessage):
        yield outputs
    elif isinstance(outputs, Mapping):
        if outputs.get("role") in ("assistant", "ai") and isinstance(outputs.get("content"), str):
            yield outputs
        else:
            yield from _messages(outputs.get("messages"))
    elif isinstance(outputs, Sequence) and not isinstance(outputs, str | bytes):
        for each in outputs:
            yield from _messages(each)


def _id(message: Any) -> Any:
    return message.id if isinstance(message, BaseMessage) else message.get("id")


def _text(message: Any) -> str:
    return text_of(message.content if isinstance(message, BaseMessage) else message["content"])
