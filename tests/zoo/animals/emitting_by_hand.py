"""A node that speaks with the functions of CopilotKit's SDK."""

import uuid
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


class State(MessagesState):
    progress: int


async def work(state: State, config: RunnableConfig) -> dict[str, Any]:
    note = {"message_id": str(uuid.uuid4()), "message": "I am working on it.", "role": "assistant"}
    await adispatch_custom_event("copilotkit_manually_emit_message", note, config=config)
    await adispatch_custom_event(
        "copilotkit_manually_emit_intermediate_state", {"progress": 50}, config=config
    )
    get_stream_writer()({"percent": 75})
    shown = {"id": str(uuid.uuid4()), "name": "show", "args": {"what": "it"}}
    await adispatch_custom_event("copilotkit_manually_emit_tool_call", shown, config=config)
    said = await model(words("It is done.")).ainvoke("?")
    await adispatch_custom_event("copilotkit_exit", {}, config=config)
    return {"messages": [said], "progress": 100}


def agent() -> Any:
    return StateGraph(State).add_node(work).add_edge(START, "work").compile(InMemorySaver())


chat = [say("Work", shows="I am working on it."), say("More", shows="It is done.")]
