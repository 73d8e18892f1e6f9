"""Human in the loop by `interrupt()` in a node of its own."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say
from ..models import model, words


class State(MessagesState):
    name: str


def ask(state: State) -> dict[str, Any]:
    return {} if state.get("name") else {"name": interrupt({"question": "Your name?"})}


async def greet(state: State) -> dict[str, Any]:
    return {"messages": [await model(words(f"Hello {state['name']}, how are you?")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(State).add_node(ask).add_node(greet).add_edge(START, "ask").add_edge("ask", "greet")
    return builder.compile(InMemorySaver())


chat = [say("Hi", shows="Your name?"), answer("Ada", shows="Hello Ada"), say("Fine", shows="Hello Ada")]
