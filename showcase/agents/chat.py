"""Agentic chat: the model sees what the page tells it, and may call the page's tools."""

import re
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph

from ..scripted import Call, Turn, call, scripted


class State(MessagesState):
    copilotkit: dict[str, Any]  # what the page offers: its `actions`, and the `context` that it shares


async def talk(state: State) -> dict[str, Any]:
    page = state["copilotkit"]
    context = "\n".join(f"{entry['description']}: {entry['value']}" for entry in page["context"])
    answer = await model.bind_tools(page["actions"]).ainvoke([("system", context), *state["messages"]])
    # A call of a page's tool ends the run: the page runs the tool and comes back with the result.
    return {"messages": [answer]}


agent = StateGraph(State).add_node(talk).add_edge(START, "talk").compile()


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "Done. Ask me what colour the page is now."
    if colour := turn.find(r"\b(?:paint|make)\b.*\b(\w+)\W*$"):
        return call("paint_page", colour=colour.lower())
    if "colo" in turn.asked.lower():
        # CopilotKit shares context of its own, too.
        seen = re.search(r"^The colour of the page: (.*)$", turn.messages[0].text, re.MULTILINE)
        return f"As far as I can see: {seen[1]}." if seen else "I cannot see the page."
    return (
        "Hello! I am a LangGraph agent behind a runtime in Python. I can **paint this page**, because it "
        "offers me a tool for that, and it sends me its current colour."
    )


model = scripted(answer)
