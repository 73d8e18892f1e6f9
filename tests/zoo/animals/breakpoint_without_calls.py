"""A breakpoint that waits for any answer."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import answer, say
from ..models import model, words


async def draft(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("This is my draft.")).ainvoke("?")]}


async def publish(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("It is published.")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(draft).add_node(publish)
    builder.add_edge(START, "draft").add_edge("draft", "publish")
    return builder.compile(InMemorySaver(), interrupt_before=["publish"])


chat = [say("Write", shows="Paused before publish."), answer("go", shows="It is published.")]
