"""A tool that asks before it acts."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt

from ..animal import answer, say
from ..models import calling, react


@tool
def delete(file: str) -> str:
    """Deletes a file."""
    return "Deleted." if interrupt(f"Delete {file}?") == "yes" else "Spared."


def agent() -> Any:
    return create_agent(react(calling("delete", file="a.txt")), [delete], checkpointer=InMemorySaver())


chat = [
    say("Delete it", shows="Delete a.txt?"),
    answer("yes", shows="Deleted."),
    say("And again", shows="Delete a.txt?"),
    answer("no", shows="Spared."),
]
