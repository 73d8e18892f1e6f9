"""A guard model that keeps to itself, by a tag and by the SDK's metadata, and takes answers back."""

from typing import Any

from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import model, words


async def check(state: MessagesState) -> dict[str, Any]:
    await model(words("The question is harmless.")).with_config(tags=["nostream"]).ainvoke("?")
    silent: Any = {"metadata": {"copilotkit:emit-messages": False}}
    await model(words("The user is friendly.")).ainvoke("?", silent)
    return {}


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words("Something very rude.")).ainvoke("?")]}


def censor(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    return {"messages": [RemoveMessage(id=str(last.id)), AIMessage("I would rather not say.")]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_sequence([check, talk, censor]).add_edge(START, "check")
    return builder.compile(InMemorySaver())


hidden = ["harmless", "friendly"]
removed = ["Something very rude."]
chat = [say("Hi", shows="I would rather not say.")]
