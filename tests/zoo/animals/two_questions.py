"""Two questions in one node, where the state declares what `CopilotKitState` does."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say


class State(MessagesState):
    copilotkit: dict[str, Any]
    city: str


def ask(state: State) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{interrupt('Name?')} is {interrupt('Age?')} in {state['city']}")]}


def agent() -> Any:
    return StateGraph(State).add_node(ask).add_edge(START, "ask").compile(InMemorySaver())


chat = [
    say("Hi", shows="Name?", city="Rome"),
    answer("Bob", shows="Age?", city="Oslo"),
    answer("forty-two", shows="Bob is forty-two in Lima", city="Lima"),
]
# There, the state can be written once beside the answers of one superstep.
chat_on_a_server = [*chat[:2], answer("forty-two", shows="Bob is forty-two in Oslo", city="Lima")]
