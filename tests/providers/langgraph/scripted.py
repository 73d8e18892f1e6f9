"""A chat model that plays a script, and short ways to run a provider and to read what it emitted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from ag_ui.core import RunAgentInput
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

Chunk = str | AIMessageChunk | Callable[[], Awaitable[None]]
Script = Callable[[list[BaseMessage]], Iterable[Chunk]]


class ScriptedModel(BaseChatModel):
    """Streams what `script` returns for the messages of a call; a callable in it is awaited in its place."""

    script: Script
    calls: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.calls.append(messages)
        text = "".join(chunk for chunk in self.script(messages) if isinstance(chunk, str))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.calls.append(messages)
        for item in self.script(messages):
            if isinstance(item, AIMessageChunk):
                message = item
            elif isinstance(item, str):
                message = AIMessageChunk(content=item)
            else:
                await item()
                continue
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                await run_manager.on_llm_new_token(item if isinstance(item, str) else "", chunk=chunk)
            yield chunk


def says(*chunks: Chunk) -> ScriptedModel:
    """Returns a model that always answers the same."""
    return ScriptedModel(script=lambda messages: chunks)


def in_turn(*answers: Sequence[Chunk]) -> ScriptedModel:
    """Returns a model that gives one answer after the other."""
    rest = list(answers)
    return ScriptedModel(script=lambda messages: rest.pop(0))


def calling(id: str, name: str, *args: str, index: int = 0) -> list[AIMessageChunk]:
    """Returns the chunks of a tool call whose arguments arrive in pieces."""
    first = tool_call_chunk(name=name, id=id, args="", index=index)
    parts = [first, *(tool_call_chunk(args=part, index=index) for part in args)]
    return [AIMessageChunk(content="", tool_call_chunks=[part]) for part in parts]


def user(text: str, id: str) -> dict[str, Any]:
    return {"id": id, "role": "user", "content": text}


def request(*messages: dict[str, Any], thread: str = "t", run: str = "r", **fields: Any) -> RunAgentInput:
    """Returns what a client of AG-UI 1.0 sends."""
    body = {"threadId": thread, "runId": run, "messages": list(messages), "protocolVersion": "1.0", **fields}
    return RunAgentInput.model_validate(body)
