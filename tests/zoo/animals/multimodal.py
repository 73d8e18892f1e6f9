"""Multimodal: an answer in content blocks, with an image that no page of text shows."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say


def draw(state: MessagesState) -> dict[str, Any]:
    image = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
    return {"messages": [AIMessage([{"type": "text", "text": "Here is a picture."}, image])]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(draw).add_edge(START, "draw").compile(InMemorySaver())


chat = [say("Draw", shows="Here is a picture.")]
