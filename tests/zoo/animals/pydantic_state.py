"""State as a Pydantic model, with a default for everything."""

from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph, add_messages
from pydantic import BaseModel, Field

from ..animal import say
from ..models import model, words


class State(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    count: int = 0


async def talk(state: State) -> dict[str, Any]:
    said = await model(words(f"This is number {state.count}.")).ainvoke(state.messages)
    return {"messages": [said], "count": state.count + 1}


def agent() -> Any:
    return StateGraph(State).add_node(talk).add_edge(START, "talk").compile(InMemorySaver())


chat = [say("Hi", shows="This is number 0."), say("Hi", shows="This is number 1.")]
