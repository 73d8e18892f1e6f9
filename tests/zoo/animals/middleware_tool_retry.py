"""`ToolRetryMiddleware`: a tool that fails at first."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


def agent() -> Any:
    tries: list[int] = []

    @tool
    def flaky() -> str:
        """Works the second time."""
        tries.append(1)
        if len(tries) % 2:
            raise ConnectionError("internal trouble")
        return "It worked."

    retry = ToolRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
    return create_agent(react(calling("flaky")), [flaky], middleware=[retry], checkpointer=InMemorySaver())


hidden = ["internal trouble"]
chat = [say("Try", shows="It worked.")]
