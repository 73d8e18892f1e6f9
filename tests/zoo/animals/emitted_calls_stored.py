"""A node that shows a tool call by hand, and stores it with its result."""

import uuid
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say


async def work(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    id = str(uuid.uuid4())
    shown = {"id": id, "name": "show", "args": {"what": "it"}}
    await adispatch_custom_event("copilotkit_manually_emit_tool_call", shown, config=config)
    call = AIMessage("", tool_calls=[{"name": "show", "args": {"what": "it"}, "id": id}])
    return {"messages": [call, ToolMessage("It is shown.", tool_call_id=id), AIMessage("Look at it.")]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(work).add_edge(START, "work").compile(InMemorySaver())


chat = [say("Work", shows="Look at it."), say("More", shows="It is shown.")]
