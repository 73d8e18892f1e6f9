"""Subgraphs: a supervisor hands over to two agents that are graphs themselves."""

import operator
from typing import Annotated, Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from ..animal import answer, say
from ..models import model, words


class Travel(MessagesState):
    itinerary: Annotated[dict[str, Any], operator.or_]


async def find_flights(state: Travel) -> dict[str, Any]:
    flight = interrupt({"message": "Which flight?", "options": ["KLM", "United"], "agent": "flights"})
    said = await model(words(f"Great, {flight} it is.")).ainvoke("?")
    return {"messages": [said], "itinerary": {"flight": flight}}


async def find_fun(state: Travel) -> dict[str, Any]:
    return {
        "messages": [await model(words("Visit the bridge.")).ainvoke("?")],
        "itinerary": {"fun": "bridge"},
    }


def supervise(state: Travel) -> Command[Any]:
    known = state.get("itinerary") or {}
    missing = next((part for part in ("flight", "fun") if part not in known), None)
    if missing is None:
        return Command(goto=END, update={"messages": [AIMessage("Your trip is planned.")]})
    return Command(goto=f"{missing}_agent", update={"messages": [AIMessage(f"Next is the {missing}.")]})


def one(node: Any) -> Any:
    return StateGraph(Travel).add_node("find", node).add_edge(START, "find").compile()


def agent() -> Any:
    builder = StateGraph(Travel).add_node(supervise, destinations=("flight_agent", "fun_agent", END))
    for name, node in (("flight_agent", find_flights), ("fun_agent", find_fun)):
        builder.add_node(name, one(node)).add_edge(name, "supervise")
    return builder.add_edge(START, "supervise").compile(InMemorySaver())


chat = [say("Plan a trip", shows="Which flight?"), answer("KLM", shows="Your trip is planned.")]
