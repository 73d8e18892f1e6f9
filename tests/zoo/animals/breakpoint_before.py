"""A breakpoint before a node."""

from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from ..animal import say
from ..models import calling, model, react, words


async def chat_node(state: MessagesState) -> dict[str, Any]:
    return {
        "messages": [await react(calling("add_trips", trip="Rome"), then="Enjoy.").ainvoke(state["messages"])]
    }


def trips(state: MessagesState) -> dict[str, Any]:
    return {}


async def perform(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    said = f"Performed {last.text}." if isinstance(last, ToolMessage) else "Nothing to perform."
    return {"messages": [await model(words(said)).ainvoke("?")]}


def route(state: MessagesState) -> str:
    return "trips" if getattr(state["messages"][-1], "tool_calls", None) else END


def trip_graph(*, before: str | None = None, after: str | None = None) -> Any:
    builder = StateGraph(MessagesState).add_node(chat_node).add_node(trips).add_node(perform)
    builder.add_edge(START, "chat_node").add_conditional_edges("chat_node", route, ["trips", END])
    builder.add_edge("trips", "perform")
    return builder.compile(
        InMemorySaver(),
        interrupt_before=[before] if before else None,
        interrupt_after=[after] if after else None,
    )


def agent() -> Any:
    return trip_graph(before="perform")


tools = {"add_trips": lambda arguments: "SEND"}
chat = [say("A trip", shows="Performed SEND."), say("Another one", shows="Performed SEND.")]
