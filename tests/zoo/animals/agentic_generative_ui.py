"""Agentic generative UI: a node shows the progress of its steps in the state, without a checkpoint."""

from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


class State(MessagesState):
    steps: list[dict[str, Any]]


async def work(state: State, config: RunnableConfig) -> dict[str, Any]:
    steps = [{"description": name, "status": "pending"} for name in ("dig", "plant")]
    for step in steps:
        step["status"] = "completed"
        await adispatch_custom_event("manually_emit_state", {"steps": steps}, config=config)
    return {"steps": steps, "messages": [await model(words("All planted.")).ainvoke(state["messages"])]}


def agent() -> Any:
    return StateGraph(State).add_node(work).add_edge(START, "work").compile()


chat = [say("Plant a tree", shows="All planted.")]
