"""Two nodes that ask at the same time, answered one after the other or together."""

import operator
from typing import Annotated, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say


class State(MessagesState):
    copilotkit: dict[str, Any]
    tools: list[Any]
    answers: Annotated[list[str], operator.add]


def left(state: State) -> dict[str, Any]:
    return {"answers": [interrupt("Left?")]}


def right(state: State) -> dict[str, Any]:
    return {"answers": [interrupt("Right?")]}


def close(state: State) -> dict[str, Any]:
    return {"messages": [("ai", f"{len(state['answers'])} answers")]}


def agent() -> Any:
    builder = StateGraph(State).add_node(left).add_node(right).add_node(close)
    builder.add_edge(START, "left").add_edge(START, "right").add_edge(["left", "right"], "close")
    return builder.compile(InMemorySaver())


chat = [say("Hi"), answer("one"), answer("two", shows="2 answers")]
