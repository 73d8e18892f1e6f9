"""A graph that declares the page's tools, on a page that offers none."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


class State(MessagesState):
    tools: list[Any]
    copilotkit: dict[str, Any]


async def talk(state: State) -> dict[str, Any]:
    offered = len(state["tools"]) + len(state["copilotkit"]["actions"])
    return {"messages": [await model(words(f"You offer {offered} tools.")).ainvoke("?")]}


def agent() -> Any:
    return StateGraph(State).add_node(talk).add_edge(START, "talk").compile(InMemorySaver())


chat = [say("Hi", shows="You offer 0 tools.")]
