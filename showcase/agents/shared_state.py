"""Shared state: the user and the agent edit the same recipe."""

from typing import Any

from langchain.agents import AgentState, create_agent
from langchain.tools import ToolRuntime, tool
from langchain_core.messages import ToolMessage
from langgraph.types import Command
from typing_extensions import TypedDict

from ..scripted import Call, Turn, call, scripted


class Recipe(TypedDict):
    title: str
    servings: int
    ingredients: list[str]


class State(AgentState[Any]):
    recipe: Recipe  # the page reads and writes it, too


@tool
def improve_recipe(add: list[str], title: str, runtime: ToolRuntime[None, State]) -> Command[Any]:
    """Add ingredients to the user's recipe and give it a better title."""
    recipe = runtime.state["recipe"]
    recipe = {**recipe, "title": title, "ingredients": [*recipe["ingredients"], *add]}
    result = ToolMessage(f"{recipe['servings']} servings of {title}", tool_call_id=runtime.tool_call_id)
    return Command(update={"recipe": recipe, "messages": [result]})


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return f"It is {turn.results[-1].text} now. Fennel and lemon go well together."
    return call("improve_recipe", add=["Fennel seeds", "Zest of a lemon"], title="Lemon and fennel pasta")


agent = create_agent(scripted(answer), [improve_recipe], state_schema=State)
