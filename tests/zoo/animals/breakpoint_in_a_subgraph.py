"""A subgraph that stops before it does what the page has been asked to allow."""

from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import call, model, words


async def plan(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(lambda messages: call("book", city="Rome")).ainvoke("?")]}


async def perform(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    said = last.text if isinstance(last, ToolMessage) else "nothing"
    return {"messages": [await model(words(f"The page said {said}.")).ainvoke("?")]}


async def close(state: MessagesState) -> dict[str, Any]:
    assert isinstance(state["messages"][-1], AIMessage)
    return {"messages": [await model(words("All is done.")).ainvoke("?")]}


def agent() -> Any:
    trips = StateGraph(MessagesState).add_node(plan).add_node(perform)
    trips.add_edge(START, "plan").add_edge("plan", "perform")
    builder = StateGraph(MessagesState).add_node(close)
    builder.add_node("trips", trips.compile(interrupt_before=["perform"]))
    return builder.add_edge(START, "trips").add_edge("trips", "close").compile(InMemorySaver())


tools = {"book": lambda arguments: f"{arguments.get('city')} is booked"}
chat = [
    say("Book a trip", shows="The page said Rome is booked."),
    say("Another one", shows="All is done."),
]
