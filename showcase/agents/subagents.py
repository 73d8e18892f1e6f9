"""Subagents: an agent that hands parts of its work to agents of their own."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool

from ..scripted import Call, Turn, call, scripted

researcher: Any = create_agent(
    scripted(lambda turn: "Bees see ultraviolet light. Petals carry patterns in it that lead to the nectar."),
    name="researcher",
)
writer: Any = create_agent(
    scripted(lambda turn: "A meadow is an airport at night: rows of lights that only its pilots can see."),
    name="writer",
)


@tool
async def research(task: str) -> str:
    """Have the researcher look something up."""
    return await ask(researcher, task)


@tool
async def write(task: str) -> str:
    """Have the writer put findings into words."""
    return await ask(writer, task)


async def ask(subagent: Any, task: str) -> str:
    state = await subagent.ainvoke({"messages": [("user", task)]})
    return str(state["messages"][-1].text)


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    match len(turn.results):
        case 0:
            return call("research", task="How do bees find flowers?")
        case 1:
            return call("write", task=f"One sentence for children: {turn.results[0].text}")
        case _:
            return "There you are: one fact, one picture, ready for the museum's wall."


agent = create_agent(scripted(answer), [research, write])
