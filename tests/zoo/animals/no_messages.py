"""A graph without messages: what its model says is all that there is."""

from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from ..animal import say
from ..models import model, words


class State(TypedDict):
    question: str
    verdict: str


async def judge(state: State) -> dict[str, Any]:
    return {"verdict": (await model(words("It is good.")).ainvoke("?")).text}


def agent() -> Any:
    return StateGraph(State).add_node(judge).add_edge(START, "judge").compile()


chat = [say("Judge", shows="It is good.")]
