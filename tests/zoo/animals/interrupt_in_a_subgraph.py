"""A question inside a subgraph."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say
from ..models import model, words


async def ask(state: MessagesState) -> dict[str, Any]:
    return {"messages": [("ai", f"You want {interrupt('What?')}.")]}


async def close(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("That is all.")).ainvoke(state["messages"])]}


def agent() -> Any:
    inner = StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile()
    builder = StateGraph(MessagesState).add_node("inner", inner).add_node(close)
    return builder.add_edge(START, "inner").add_edge("inner", "close").compile(InMemorySaver())


chat = [say("Hi", shows="What?"), answer("tea", shows="You want tea."), say("More", shows="What?")]
