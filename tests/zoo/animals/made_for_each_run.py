"""A factory that makes the graph anew for each run, around a checkpointer of its own."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py import RequestContext

from ..animal import say
from ..models import model, words


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words(f"Message {len(state['messages'])}.")).ainvoke("?")]}


def agent() -> Any:
    saver = InMemorySaver()

    async def make(context: RequestContext) -> Any:
        return StateGraph(MessagesState).add_node(talk).add_edge(START, "talk").compile(saver)

    return make


chat = [say("One", shows="Message 1."), say("Two", shows="Message 3.")]
