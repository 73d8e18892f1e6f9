"""Nodes and tools that are plain functions, with a model that is called as one."""

from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from ..animal import say
from ..models import calling, react


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [react(calling("add", a=2, b=3), then="Five it is.").invoke(state["messages"])]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(talk).add_node("tools", ToolNode([add]))
    builder.add_edge(START, "talk").add_conditional_edges("talk", tools_condition).add_edge("tools", "talk")
    return builder.compile(InMemorySaver())


chat = [say("2 + 3?", shows="Five it is.")]
