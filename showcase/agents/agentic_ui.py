"""Agentic generative UI: the agent reports on its work in its state, and the page draws that in the chat."""

import asyncio
from typing import Any, Literal, TypedDict

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

PLAN = [
    "Read the log",
    "Find the first error",
    "Look for the change behind it",
    "Write a fix",
    "Run the tests",
]


class Step(TypedDict):
    title: str
    status: Literal["pending", "running", "done"]


class State(MessagesState):
    steps: list[Step]


async def work(state: State) -> dict[str, Any]:
    steps: list[Step] = [{"title": title, "status": "pending"} for title in PLAN]
    for step in steps:
        step["status"] = "running"
        # The page sees this at once, and not only when the node is done.
        await adispatch_custom_event("manually_emit_state", {"steps": steps})
        await asyncio.sleep(0.6)
        step["status"] = "done"
    return {
        "steps": steps,
        "messages": [AIMessage("All green again: a timeout was given in the wrong unit.")],
    }


agent = StateGraph(State).add_node(work).add_edge(START, "work").compile()
