"""Map and reduce with `Send`: what the workers write is not for the user."""

import operator
from typing import Annotated, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from ..animal import say
from ..models import model, words


class Work(TypedDict):
    topic: str


class Report(MessagesState):
    parts: Annotated[list[str], operator.add]


async def write(work: Work) -> dict[str, Any]:
    said = await model(words(f"Internal draft on {work['topic']}")).ainvoke("?")
    return {"parts": [str(len(said.text))]}


async def combine(state: Report) -> dict[str, Any]:
    return {"messages": [await model(words(f"There are {len(state['parts'])} parts.")).ainvoke("?")]}


def plan(state: Report) -> list[Send]:
    return [Send("write", {"topic": topic}) for topic in ("a", "b", "c")]


def agent() -> Any:
    builder: Any = StateGraph(Report)
    builder.add_node("write", write).add_node("combine", combine)
    builder.add_conditional_edges(START, plan, ["write"]).add_edge("write", "combine")
    return builder.compile(InMemorySaver())


hidden = ["Internal "]
chat = [say("Report", shows="There are 3 parts.")]
