"""A chat model that plays a script and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from ag_ui.core import RunAgentInput
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.base import Provider


class ScriptedModel(BaseChatModel):
    """Streams the chunks it was made with, until an exception among them is raised.

    Attributes:
        chunks: the answer, in texts, `AIMessageChunk`s and exceptions, or a function from the keyword
            arguments of a call to its answer.
        asked: the messages of every call.
        options: the keyword arguments of every call.
    """

    chunks: Sequence[Any] | Callable[[dict[str, Any]], Sequence[Any]] = ("ok",)
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    options: list[dict[str, Any]] = Field(default_factory=list)
    max_tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise AssertionError("the answer is to be streamed")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.asked.append(messages)
        self.options.append(kwargs if stop is None else {"stop": stop, **kwargs})
        for chunk in self.chunks(kwargs) if callable(self.chunks) else self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            message = AIMessageChunk(content=chunk) if isinstance(chunk, str) else chunk.model_copy()
            yield ChatGenerationChunk(message=message)


def calls(id: str, name: str, *args: str) -> list[AIMessageChunk]:
    """The chunks of a tool call."""
    parts = [tool_call_chunk(name=name, id=id, args="", index=0)]
    parts += [tool_call_chunk(args=part, index=0) for part in args]
    return [AIMessageChunk(content="", tool_call_chunks=[part]) for part in parts]


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Does {name}.", "parameters": parameters or {"type": "object"}}


def user(text: str, id: str = "u1") -> dict[str, Any]:
    return {"id": id, "role": "user", "content": text}


def asks(*messages: dict[str, Any], **fields: Any) -> RunAgentInput:
    """A request with these messages, or with a greeting."""
    body = {"threadId": "t1", "runId": "r1", "messages": list(messages) or [user("Hi")], **fields}
    return RunAgentInput.model_validate(body)


async def show(events: list[Event], provider: Provider, input: RunAgentInput) -> None:
    """Runs a provider and adds what it emits to `events`, also if it fails in the end."""
    async for event in provider.run(input, RequestContext()):
        events.append(event)  # noqa: PERF401 - the events before a failure count
