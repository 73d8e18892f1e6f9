"""Messages and results of tools as dicts and tuples, as many examples have them."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import call, model, words


def greet(state: MessagesState) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": "First of all."}, ("ai", "Then this.")]}


async def ask(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(call("search", query="x")).ainvoke("?")]}


def search(state: MessagesState) -> dict[str, Any]:
    last: Any = state["messages"][-1]
    (made,) = last.tool_calls
    return {"messages": [{"role": "tool", "content": "found", "tool_call_id": made["id"]}]}


async def close(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("At last.")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_sequence([greet, ask, search, close]).add_edge(START, "greet")
    return builder.compile(InMemorySaver())


chat = [say("Hi", shows="At last."), say("Again", shows="found")]
