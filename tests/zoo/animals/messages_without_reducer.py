"""A list of messages without a reducer, whose messages have no ids."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from ..animal import say
from ..models import model, words


class State(TypedDict):
    messages: list[Any]


async def talk(state: State) -> dict[str, Any]:
    response = await model(words("Nice to meet you.")).ainvoke("?")
    return {"messages": [*state["messages"], {"role": "assistant", "content": response.content}]}


def agent() -> Any:
    return StateGraph(State).add_node(talk).add_edge(START, "talk").compile(InMemorySaver())


chat = [say("Hi", shows="Nice to meet you."), say("Hello", shows="Nice to meet you.")]
