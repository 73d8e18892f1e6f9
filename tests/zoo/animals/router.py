"""A node that decides with structured output where to go."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from ..animal import say
from ..models import call, model, words


class Route(BaseModel):
    """Where to go."""

    step: str


class State(MessagesState):
    step: str


async def decide(state: State) -> dict[str, Any]:
    router = model(lambda messages: call("Route", step="poem")).with_structured_output(Route)
    route: Any = await router.ainvoke(state["messages"])
    return {"step": route.step}


async def poem(state: State) -> dict[str, Any]:
    return {"messages": [await model(words("Roses are red.")).ainvoke("?")]}


def agent() -> Any:
    builder = StateGraph(State).add_node(decide).add_node(poem).add_edge(START, "decide")
    return builder.add_conditional_edges("decide", lambda state: state["step"], ["poem"]).compile(
        InMemorySaver()
    )


hidden = ["Route"]
chat = [say("A poem", shows="Roses are red.")]
