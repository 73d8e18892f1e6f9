"""A supervisor that stores the call and the result of a handover that no model has streamed."""

import uuid
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from ..animal import say
from ..models import model, words


def supervise(state: MessagesState) -> Command[Any]:
    id = uuid.uuid4().hex
    made = AIMessage("", tool_calls=[{"name": "transfer_to_poet", "args": {}, "id": id}], name="supervisor")
    moved = ToolMessage("Transferred to poet.", name="transfer_to_poet", tool_call_id=id)
    return Command(goto="poet", update={"messages": [made, moved]})


async def poet(state: MessagesState) -> Command[Any]:
    said = await model(words("Roses are red.")).ainvoke(state["messages"])
    return Command(goto=END, update={"messages": [said]})


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(supervise, destinations=("poet",))
    builder.add_node(poet, destinations=(END,)).add_edge(START, "supervise")
    return builder.compile(InMemorySaver())


chat = [say("A poem", shows="Transferred to poet."), say("Another", shows="Roses are red.")]
