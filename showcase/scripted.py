"""A chat model that follows a script, so that the showcase needs no API key.

In an application of your own a real model takes its place: `init_chat_model("openai:gpt-4.1")`.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field


@dataclass(frozen=True, slots=True)
class Turn:
    """What a scripted model answers to.

    Attributes:
        messages: the conversation.
        tools: the names of the tools that the model may call.
    """

    messages: Sequence[BaseMessage]
    tools: Sequence[str]

    @property
    def asked(self) -> str:
        """The user's last message."""
        return next((each.text for each in reversed(self.messages) if isinstance(each, HumanMessage)), "")

    @property
    def results(self) -> list[ToolMessage]:
        """The results of tools since the user's last message."""
        results: list[ToolMessage] = []
        for message in reversed(self.messages):
            if isinstance(message, HumanMessage):
                break
            if isinstance(message, ToolMessage):
                results.insert(0, message)
        return results

    def find(self, pattern: str, default: str = "") -> str:
        """Returns the first group of a pattern in the user's last message."""
        found = re.search(pattern, self.asked, re.IGNORECASE)
        return found[1].strip() if found else default


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model thinks before it answers."""

    text: str


Part: TypeAlias = str | Call | Thought
Script: TypeAlias = Callable[[Turn], Part | Sequence[Part]]


def call(name: str, **arguments: Any) -> Call:
    """Returns a call of a tool."""
    return Call(name, arguments)


class ScriptedModel(BaseChatModel):
    """Streams what its script says.

    Attributes:
        script: what the model answers to a turn.
        delay: seconds between two tokens.
        tools: the tools that are bound to the model, in OpenAI's format.
    """

    script: Script
    delay: float = 0.025
    tools: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Returns a copy of the model that may call these tools."""
        return self.model_copy(update={"tools": [convert_to_openai_tool(tool) for tool in tools]})

    def _chunks(self, messages: Sequence[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        answer = self.script(Turn(messages, [tool["function"]["name"] for tool in self.tools]))
        parts = [answer] if isinstance(answer, str | Call | Thought) else answer
        index = 0
        for part in parts:
            for chunk in _tokens(part, index):
                yield ChatGenerationChunk(message=chunk)
            index += isinstance(part, Call)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        merged = merge_chat_generation_chunks(list(self._chunks(messages)))
        assert merged is not None
        return ChatResult(generations=[merged])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            await asyncio.sleep(self.delay)
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def scripted(script: Script, *, delay: float = 0.025) -> ScriptedModel:
    """Returns a model that answers what a script says."""
    return ScriptedModel(script=script, delay=delay)


def _tokens(part: Part, index: int) -> Iterator[AIMessageChunk]:
    if isinstance(part, Call):
        arguments = json.dumps(part.arguments, ensure_ascii=False)
        pieces = ["", *(arguments[start : start + 12] for start in range(0, len(arguments), 12))]
        for number, piece in enumerate(pieces):
            head = {"name": part.name, "id": f"call_{uuid.uuid4().hex}"} if number == 0 else {}
            chunk = tool_call_chunk(**head, args=piece, index=index)
            yield AIMessageChunk(content="", tool_call_chunks=[chunk])
        return
    text = part if isinstance(part, str) else part.text
    for word in re.findall(r"\s*\S+\s*", text):
        yield AIMessageChunk(content=word if part is text else [{"type": "reasoning", "reasoning": word}])
