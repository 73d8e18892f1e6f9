"""An agent inside a tool, with a tool of its own and its own state."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


@tool
def look_up(word: str) -> str:
    """Looks up."""
    return f"inner result for {word}"


@tool
async def delegate(task: str) -> str:
    """Delegates."""
    helper: Any = create_agent(react(calling("look_up", word="x"), then="It means nothing."), [look_up])
    result = await helper.ainvoke({"messages": [("user", task)]})
    return str(result["messages"][-1].text)


def agent() -> Any:
    return create_agent(react(calling("delegate", task="find")), [delegate], checkpointer=InMemorySaver())


hidden = ["inner result", "look_up"]
chat = [say("Find", shows="It means nothing.")]
