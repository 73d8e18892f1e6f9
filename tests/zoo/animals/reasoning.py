"""Reasoning before the answer, and before a call."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import Chunk, call, model, thoughts, words


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def script(messages: list[BaseMessage]) -> list[Chunk]:
    if isinstance(messages[-1], ToolMessage):
        return [*thoughts("So it is clear."), *words("It is five.")]
    return [*thoughts("Let me add the two."), *call("add", a=2, b=3)]


def agent() -> Any:
    return create_agent(model(script), [add], checkpointer=InMemorySaver())


chat = [say("2 + 3?", shows="It is five."), say("Sure?", shows="It is five.")]
