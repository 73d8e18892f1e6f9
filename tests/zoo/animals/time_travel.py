"""A graph with state beside the conversation. The user edits an earlier message: the run forks from there."""

import operator
from typing import Annotated, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import edit, say
from ..models import model, words


class Counting(MessagesState):
    turns: Annotated[int, operator.add]


def count(state: Counting) -> dict[str, Any]:
    return {"turns": 1}


async def talk(state: Counting) -> dict[str, Any]:
    said = f"Turn {state['turns']} after {len(state['messages'])} messages."
    return {"messages": [await model(words(said)).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(Counting).add_node(count).add_node(talk)
    return builder.add_edge(START, "count").add_edge("count", "talk").compile(InMemorySaver())


chat = [
    say("One", shows="Turn 1 after 1 messages."),
    say("Two", shows="Turn 2 after 3 messages."),
    say("Three", shows="Turn 3 after 5 messages."),
    edit(2, "Another one", shows="Turn 2 after 3 messages."),
    say("Four", shows="Turn 3 after 5 messages."),
]
