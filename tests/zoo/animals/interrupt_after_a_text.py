"""A node that says something and then asks: it says it again when it goes on."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from ..animal import answer, say
from ..models import model, words


async def ask(state: MessagesState) -> dict[str, Any]:
    said = await model(words("I need to know something.")).ainvoke(state["messages"])
    number = len(state["messages"])
    return {"messages": [said, AIMessage(f"You said {interrupt('What?')}.", id=f"end-{number}")]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile(InMemorySaver())


chat = [say("Hi", shows="What?"), answer("yes", shows="You said yes.")]
