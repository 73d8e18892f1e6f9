"""A LangGraph graph with a scripted model, as every stack of the benchmark runs it.

The model streams as many tokens as the last user message says, so many milliseconds apart: `200 5`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph


class Scripted(BaseChatModel):
    """Streams tokens that carry the time at which they were made."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        count, pause = (int(word) for word in str(messages[-1].content).split())
        id = f"run-{uuid.uuid4()}"
        for _number in range(count):
            if pause:
                await asyncio.sleep(pause / 1000)
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"@{time.monotonic_ns()}@ word ", id=id))


model = Scripted()


async def reply(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = (
    StateGraph(MessagesState).add_node(reply).add_edge(START, "reply").compile(checkpointer=InMemorySaver())
)
