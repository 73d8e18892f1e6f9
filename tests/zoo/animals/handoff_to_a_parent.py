"""Agents with memories of their own that hand over by a tool which commands the graph around them."""

from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState
from langgraph.types import Command

from ..animal import say
from ..models import call, model, words


@tool
def transfer_to_poet(
    state: Annotated[Any, InjectedState], tool_call_id: Annotated[str, InjectedToolCallId]
) -> Command[Any]:
    """Hands over, and passes on the call with its result only."""
    moved = ToolMessage("The poet takes over.", tool_call_id=tool_call_id)
    calls = [message for message in state["messages"] if isinstance(message, AIMessage)]
    return Command(goto="poet", graph=Command.PARENT, update={"messages": [calls[-1], moved]})


def greet(messages: list[BaseMessage]) -> Any:
    return [*words("One moment."), *call("transfer_to_poet")]


def agent() -> Any:
    greeter: Any = create_agent(model(greet), [transfer_to_poet], name="greeter")
    poet: Any = create_agent(model(words("Roses are red.")), name="poet")
    builder = StateGraph(MessagesState).add_node("greeter", greeter, destinations=("poet",))
    return builder.add_node("poet", poet).add_edge(START, "greeter").compile(InMemorySaver())


chat = [say("A poem", shows="The poet takes over."), say("Another", shows="Roses are red.")]
