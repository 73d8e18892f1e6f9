"""A node that says something and does not store it."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


async def think(state: MessagesState) -> dict[str, Any]:
    await model(words(f"Let me think about {len(state['messages'])} messages.")).ainvoke("?")
    return {}


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("I have thought.")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_sequence([think, talk]).add_edge(START, "think")
    return builder.compile(InMemorySaver())


chat = [say("Hi", shows="Let me think about 1 messages."), say("And?", shows="I have thought.")]
