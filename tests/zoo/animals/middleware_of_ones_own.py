"""A middleware that speaks for itself, ends the turn, and changes the results of tools."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


@tool
def find() -> str:
    """Finds."""
    return "the secret number 1234"


class Manners(AgentMiddleware[Any, Any]):
    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        if "please" in state["messages"][-1].text:
            return None
        return {"messages": [AIMessage("Say please.")], "jump_to": "end"}

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        result = await handler(request)
        return ToolMessage("the number ***", tool_call_id=result.tool_call_id, name=result.name)


def agent() -> Any:
    model = react(calling("find"))
    return create_agent(model, [find], middleware=[Manners()], checkpointer=InMemorySaver())


hidden = ["1234"]
chat = [say("The number", shows="Say please."), say("The number, please", shows="the number ***")]
