"""An agent with two backend tools, around a model that streams as a vendor's does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from .models import model

Chunks = list[AIMessageChunk]


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return f"Sunny in {city}."


@tool
def population(city: str) -> str:
    """Tells how many people live somewhere."""
    return f"Many people in {city}."


def agent_of(calls: Callable[[], Chunks], answer: Callable[[], Chunks]) -> Any:
    """Returns an agent whose model calls both tools when it is asked, and then answers.

    Args:
        calls: the chunks in which the vendor calls `weather` and `population`.
        answer: the chunks in which it answers.
    """

    def play(messages: list[BaseMessage]) -> Chunks:
        return answer() if isinstance(messages[-1], ToolMessage) else calls()

    return create_agent(model(play), [weather, population], checkpointer=InMemorySaver())


def chunk(
    content: Any = "",
    *,
    id: str | None = None,
    call: tuple[str | None, str | None, str | None, Any] | None = None,
    **fields: Any,
) -> AIMessageChunk:
    """Returns a chunk. A call is its name, its arguments, its id and its index."""
    parts = []
    if call is not None:
        name, args, call_id, index = call
        parts = [tool_call_chunk(name=name, args=args, id=call_id, index=index)]
    return AIMessageChunk(content=content, id=id, tool_call_chunks=parts, **fields)


def new_id(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex}"
