"""A chat model that follows a script: deterministic answers, streamed word by word."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from .script import STORY, WELCOME, ToolCall, after_page_tool, reply

__all__ = ["STORY", "WELCOME", "ScriptedChatModel"]


class ScriptedChatModel(BaseChatModel):
    """Answers by keyword, and calls the tools that it was given.

    Attributes:
        delay: seconds between two tokens.
        tools: the tools bound to the model, in OpenAI's format.
    """

    delay: float = 0.03
    tools: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Returns a copy of the model that may call these tools."""
        return self.model_copy(update={"tools": [convert_to_openai_tool(tool) for tool in tools]})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages)):
            await asyncio.sleep(self.delay)
            generation = ChatGenerationChunk(message=chunk)
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.content), chunk=generation)
            yield generation

    def _answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            own = last.name in ("get_weather", "add_item", "book_table")
            return AIMessage(last.text if own else after_page_tool(last.text))
        asked = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")
        answer = reply(asked, [tool["function"] for tool in self.tools])
        return AIMessage(answer) if isinstance(answer, str) else _call(answer)


def _call(call: ToolCall) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"id": f"call_{uuid.uuid4().hex}", "name": call.name, "args": call.args}]
    )


def _chunks(answer: AIMessage) -> list[AIMessageChunk]:
    chunks = [AIMessageChunk(content=word) for word in re.findall(r"\S+\s*", str(answer.content))]
    for index, call in enumerate(answer.tool_calls):
        args = json.dumps(call["args"])
        first = tool_call_chunk(name=call["name"], id=call["id"], args="", index=index)
        rest = (tool_call_chunk(args=args[i : i + 8], index=index) for i in range(0, len(args), 8))
        chunks += [AIMessageChunk(content="", tool_call_chunks=[part]) for part in (first, *rest)]
    return chunks
