"""`HumanInTheLoopMiddleware`: two calls, one of which needs an approval; one is approved, one refused."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import answer, say
from ..models import calling, react


@tool
def send(to: str) -> str:
    """Sends."""
    return f"Sent to {to}."


@tool
def look(at: str) -> str:
    """Looks."""
    return f"Looked at {at}."


def agent() -> Any:
    model = react(calling("look", at="it"), calling("send", index=1, to="Bob"))
    ask = HumanInTheLoopMiddleware(interrupt_on={"send": True})
    return create_agent(model, [send, look], middleware=[ask], checkpointer=InMemorySaver())


chat = [
    say("Send it", shows="action_requests"),
    answer({"decisions": [{"type": "approve"}]}, shows="Sent to Bob."),
    say("And again", shows="action_requests"),
    answer({"decisions": [{"type": "reject", "message": "Not to him."}]}, shows="Not to him."),
]
