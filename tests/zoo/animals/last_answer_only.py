"""A node that puts its answer in the place of the whole conversation."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from ..animal import say
from ..models import model, words


class State(TypedDict):
    messages: list[Any]


async def talk(state: State) -> dict[str, Any]:
    return {"messages": [await model(words("Nice to meet you.")).ainvoke("?")]}


def agent() -> Any:
    return StateGraph(State).add_node(talk).add_edge(START, "talk").compile(InMemorySaver())


chat = [say("Hi", shows="Nice to meet you.")]
