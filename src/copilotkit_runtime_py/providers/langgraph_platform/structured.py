"""Structured output, which a server streams like any other answer of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from langchain_core.messages import AIMessageChunk, BaseMessage

from ..langchain.content import reasoning_of, text_of
from ..langgraph.visibility import INTERNAL
from .message_ids import GENERATED

Streamed: TypeAlias = tuple[BaseMessage, dict[str, Any]]
"""A message and its metadata."""

_SEQUENCE: Final = b'"RunnableSequence"'
_STEP: Final = b'"seq:step:'
_RAW: Final = "map:key:raw"
"""The tag of a model that `with_structured_output(include_raw=True)` calls."""
_JSON: Final = ("{", "[", "```json")


@dataclass
class _Call:
    """A model call that may be for structured output.

    Attributes:
        run: its run.
        sequence: the run of the sequence that it is a step of.
        step: which one.
        is_structured: what it is for; None until that is known.
        held: what has been held back of it.
    """

    run: str
    sequence: str | None
    step: int
    is_structured: bool | None = None
    held: list[Streamed] = field(default_factory=list)


class StructuredOutput:
    """Holds an answer back that may be structured output, until the step behind the model shows what it is.

    `model.with_structured_output(...)` is a sequence of the model and a parser. So what a model in a sequence
    says is held back if it begins like JSON, and its tool calls and reasoning if the sequence begins with it:
    behind a prompt may be an agent's model, of which a client is to get them as they come.
    """

    def __init__(self) -> None:
        self._sequences: set[str] = set()
        self._calls: dict[str, _Call] = {}

    def reads(self, data: bytes) -> bool:
        """Whether the start of a chain is to be decoded for this. It holds all that the chain is given."""
        return _SEQUENCE in data or (bool(self._calls) and _STEP in data)

    def event(self, event: Mapping[str, Any]) -> list[Streamed]:
        """Takes an event, and returns what it sets free."""
        run, namespace = str(event.get("run_id")), _namespace(event.get("metadata") or {})
        around = [str(each) for each in event.get("parent_ids") or ()]
        parent = around[-1] if around else None
        step, name = _step(event), str(event.get("name"))
        match event.get("event"):
            case "on_chain_start" | "on_parser_start":
                if name == "RunnableSequence":
                    self._sequences.add(run)
                call = self._calls.get(namespace)
                if call is not None and call.sequence == parent and step == call.step + 1:
                    call.is_structured = _is_parser(name, call)
                    return self._free(call)
            case "on_chat_model_start":
                freed = self.end(namespace)
                if _RAW in (event.get("tags") or ()):
                    self._calls[namespace] = _Call(run, None, 0, is_structured=True)
                elif step is not None and parent in self._sequences:
                    self._calls[namespace] = _Call(run, parent, step)
                return freed
        return []

    def message(self, message: BaseMessage, metadata: dict[str, Any]) -> list[Streamed]:
        """Takes a message, and returns what is not held back."""
        call = self._calls.get(_namespace(metadata))
        if call is None or not isinstance(message, AIMessageChunk) or not _is_of(message, call):
            return [(message, metadata)]
        call.held.append((message, metadata))
        if call.is_structured is None:
            text = "".join(text_of(each.content) for each, _ in call.held).lstrip()
            acts = message.tool_call_chunks or reasoning_of(message.content, message.additional_kwargs)
            reads_like_json = any(text.startswith(mark) or mark.startswith(text) for mark in _JSON)
            if not reads_like_json or (acts and call.step > 1):
                call.is_structured = False
        return self._free(call) if call.is_structured is not None else []

    def end(self, namespace: str) -> list[Streamed]:
        """Returns what is still held back of a task that has ended, or goes on with another model."""
        call = self._calls.pop(namespace, None)
        return self._free(call) if call is not None else []

    def _free(self, call: _Call) -> list[Streamed]:
        freed, call.held = call.held, []
        if call.is_structured:
            for _, metadata in freed:
                metadata[INTERNAL] = True
        return freed


def _is_of(message: AIMessageChunk, call: _Call) -> bool:
    """Whether a message is a model call's. An id that the provider has given does not show it."""
    id = message.id or ""
    return not id.startswith(GENERATED) or id.endswith(call.run)


def _is_parser(name: str, call: _Call) -> bool:
    """Whether what follows a model parses its answer.

    `langchain-openai` parses JSON with a function that has no name.
    """
    if name == "RunnableLambda":
        return any(text_of(message.content) for message, _ in call.held)
    return name.endswith("Parser") and name != "StrOutputParser"


def _namespace(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("langgraph_checkpoint_ns"))


def _step(event: Mapping[str, Any]) -> int | None:
    """Returns the place of a run in the sequence around it."""
    for tag in event.get("tags") or ():
        number = str(tag).removeprefix("seq:step:")
        if number != tag and number.isdecimal():
            return int(number)
    return None
