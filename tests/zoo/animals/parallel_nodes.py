"""Two nodes that stream at the same time."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


async def left(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("On the one hand this.")).ainvoke("?")]}


async def right(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("On the other hand that.")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(left).add_node(right)
    return builder.add_edge(START, "left").add_edge(START, "right").compile(InMemorySaver())


chat = [say("Well?", shows="On the other hand that.")]
