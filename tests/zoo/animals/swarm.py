"""Two agents of `langgraph-swarm` that hand over to each other."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_swarm import create_handoff_tool, create_swarm

from ..animal import say
from ..models import Chunk, call, model, words


def alice(messages: list[BaseMessage]) -> list[Chunk]:
    return list(call("transfer_to_bob"))


def agent() -> Any:
    first = create_agent(model(alice), [create_handoff_tool(agent_name="Bob")], name="Alice")
    second = create_agent(model(words("Ahoy, I am Bob.")), name="Bob")
    return create_swarm([first, second], default_active_agent="Alice").compile(checkpointer=InMemorySaver())


chat = [say("Let me talk to Bob", shows="Ahoy, I am Bob."), say("Still there?", shows="Ahoy, I am Bob.")]
