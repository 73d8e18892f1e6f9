"""A question as `copilotkit_interrupt` of the SDK asks it, with a message."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say


def ask(state: MessagesState) -> dict[str, Any]:
    question = {
        "__copilotkit_interrupt_value__": "What is your name?",
        "__copilotkit_messages__": [AIMessage("What is your name?", id="question")],
    }
    reply = interrupt(question)
    number = len(state["messages"])
    return {"messages": [AIMessage(f"Hello {reply}.", id=f"hello-{number}")]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile(InMemorySaver())


chat = [say("Hi", shows="What is your name?"), answer("Ada", shows="Hello Ada.")]
