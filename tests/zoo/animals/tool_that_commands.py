"""A tool that changes the state and hands over with `Command`."""

from typing import Annotated, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command

from ..animal import say
from ..models import calling, react


class State(MessagesState):
    basket: list[str]


@tool
def buy(item: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Buys."""
    result = ToolMessage(f"Bought {item}.", tool_call_id=tool_call_id)
    return Command(update={"basket": [item], "messages": [result]})


async def talk(state: State) -> dict[str, Any]:
    return {"messages": [await react(calling("buy", item="milk")).ainvoke(state["messages"])]}


def agent() -> Any:
    builder = StateGraph(State).add_node(talk).add_node("tools", ToolNode([buy])).add_edge(START, "talk")
    builder.add_conditional_edges("talk", tools_condition).add_edge("tools", "talk")
    return builder.compile(InMemorySaver())


chat = [say("Buy milk", shows="Bought milk.")]
