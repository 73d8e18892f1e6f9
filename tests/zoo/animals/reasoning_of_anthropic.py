"""Anthropic thinking blocks with a signature, as content blocks that carry an index."""

from typing import Any

from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model

CHUNKS = [
    [{"type": "thinking", "thinking": "Hm, ", "index": 0}],
    [{"type": "thinking", "thinking": "let me see.", "index": 0}],
    [{"type": "thinking", "signature": "c2ln", "index": 0}],
    [{"type": "text", "text": "Here ", "index": 1}],
    [{"type": "text", "text": "it is.", "index": 1}],
]


async def think(state: MessagesState) -> dict[str, Any]:
    chunks: list[Any] = [AIMessageChunk(content=content) for content in CHUNKS]
    return {"messages": [await model(chunks).ainvoke(state["messages"])]}


def agent() -> Any:
    return StateGraph(MessagesState).add_node(think).add_edge(START, "think").compile(InMemorySaver())


chat = [say("Think", shows="Here it is.")]
