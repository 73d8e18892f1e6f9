"""Agentic chat: a graph of one node that streams a text."""

from typing import Any

from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


async def chat_node(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("Hello, nice to see you.")).ainvoke(state["messages"])]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(chat_node).add_edge(START, "chat_node").compile()


chat = [say("Hi", shows="nice to see you")]
