"""A node that shows a message by hand, and stores it as an answer of its own."""

import uuid
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say


async def emit(text: str, config: RunnableConfig) -> str:
    id = str(uuid.uuid4())
    note = {"message_id": id, "message": text, "role": "assistant"}
    await adispatch_custom_event("copilotkit_manually_emit_message", note, config=config)
    return id


async def work(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    first = await emit("I am working on it.", config)
    await emit("It takes a while.", config)
    done = AIMessage("It takes a while.")
    return {"messages": [AIMessage("I am working on it.", id=first), done, AIMessage("It is done.")]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(work).add_edge(START, "work").compile(InMemorySaver())


once = ["I am working on it.", "It takes a while."]
chat = [say("Work", shows="It is done."), say("More", shows="It is done.")]
