"""A tool that fails: the model gets the failure as a result."""

from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from ..animal import say
from ..models import calling, react


@tool
def divide(a: int, b: int) -> float:
    """Divides."""
    return a / b


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await react(calling("divide", a=1, b=0)).ainvoke(state["messages"])]}


def agent() -> Any:
    node = ToolNode([divide], handle_tool_errors="It cannot be divided.")
    builder = StateGraph(MessagesState).add_node(talk).add_node("tools", node).add_edge(START, "talk")
    builder.add_conditional_edges("talk", tools_condition).add_edge("tools", "talk")
    return builder.compile(InMemorySaver())


chat = [say("Divide", shows="It cannot be divided.")]
