"""A chat model that plays a script, and short ways to run a provider and to read what it emitted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from crewai import BaseLLM
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import llm_call_context
from pydantic import Field

MARKS = [
    pytest.mark.anyio,
    # CrewAI reads fields that it has deprecated itself, wherever it makes or copies an agent.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:function callbacks cannot be serialized:UserWarning"),
]


@dataclass(frozen=True)
class Calling:
    """A tool call whose arguments arrive in pieces."""

    id: str
    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Thinking:
    """A piece of a thinking model's thoughts."""

    text: str


Part = str | Calling | Thinking | Callable[[], Awaitable[None]]
Script = Callable[[list[dict[str, Any]]], Iterable[Part]]


class ScriptedLLM(BaseLLM):
    """Answers with what `script` returns for the messages; a callable in it is awaited in its place."""

    script: Script
    calls: list[list[dict[str, Any]]] = Field(default_factory=list)
    tools: list[Any] = Field(default_factory=list)
    streams: bool = True
    knows_tools: bool = True
    usage: dict[str, Any] | None = None

    def supports_function_calling(self) -> bool:
        return self.knows_tools

    async def acall(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        self.calls.append([dict(message) for message in messages])
        self.tools.append(tools)
        origin = {"from_task": from_task, "from_agent": from_agent}
        with llm_call_context():
            self._emit_call_started_event(messages, tools, callbacks, available_functions, **origin)
            text = ""
            called: list[dict[str, Any]] = []
            for part in self.script(messages):
                if isinstance(part, Calling):
                    called.append(self._stream_call(part, len(called), origin))
                elif isinstance(part, Thinking):
                    self._emit_thinking_chunk_event(part.text, **origin)
                elif isinstance(part, str):
                    text += part
                    if self.streams:
                        self._emit_stream_chunk_event(part, **origin)
                else:
                    await part()
            kind = LLMCallType.TOOL_CALL if called else LLMCallType.LLM_CALL
            said = {"messages": messages, "usage": self.usage}
            self._emit_call_completed_event(called or text, kind, **said, **origin)
            return called or text

    def _stream_call(self, call: Calling, index: int, origin: dict[str, Any]) -> dict[str, Any]:
        arguments = ""
        for piece in call.pieces:
            arguments += piece
            if self.streams:
                function = {"name": call.name, "arguments": arguments}
                part = {"id": call.id, "type": "function", "index": index, "function": function}
                self._emit_stream_chunk_event(
                    piece, tool_call=part, call_type=LLMCallType.TOOL_CALL, **origin
                )
        function = {"name": call.name, "arguments": arguments}
        return {"id": call.id, "type": "function", "function": function}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Answers at once: what the script awaits must not wait for a loop."""
        try:
            self.acall(*args, **kwargs).send(None)
        except StopIteration as answered:
            return answered.value
        raise RuntimeError("the script waits for a loop")


def says(*parts: Part, **fields: Any) -> ScriptedLLM:
    """Returns a model that always answers the same."""
    return ScriptedLLM(model="scripted", script=lambda messages: parts, **fields)


def in_turn(*answers: Sequence[Part], **fields: Any) -> ScriptedLLM:
    """Returns a model that gives one answer after the other."""
    rest = list(answers)
    return ScriptedLLM(model="scripted", script=lambda messages: rest.pop(0), **fields)


def calling(id: str, name: str, *pieces: str) -> Calling:
    return Calling(id, name, pieces)


def user(text: str, id: str = "u1") -> dict[str, Any]:
    return {"id": id, "role": "user", "content": text}


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """Returns a tool of the frontend."""
    return {
        "name": name,
        "description": f"The frontend's {name}",
        "parameters": {"type": "object", "properties": properties},
    }


def request(*messages: dict[str, Any], thread: str = "t", run: str = "r", **fields: Any) -> RunAgentInput:
    body = {"threadId": thread, "runId": run, "messages": list(messages), **fields}
    return RunAgentInput.model_validate(body)
