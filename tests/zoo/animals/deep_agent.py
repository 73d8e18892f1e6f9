"""A deep agent that looks at its files and delegates to a hidden subagent."""

from typing import Any

from deepagents import create_deep_agent
from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

from ..animal import say
from ..models import Chunk, call, calling, model, react, words


def lead(messages: list[BaseMessage]) -> list[Chunk]:
    made = []
    for message in reversed(messages):
        if message.type == "human":
            break
        if isinstance(message, ToolMessage):
            made.append(message)
    if not made:
        return list(call("ls", path="/"))
    if len(made) == 1:
        return list(call("task", description="Research it.", subagent_type="researcher"))
    return list(words("Here is the summary."))


def graph() -> Any:
    inner = react(
        calling("write_file", file_path="/notes.txt", content="deep notes"), then="I have researched it."
    )
    subagent: Any = {
        "name": "researcher",
        "description": "Researches.",
        "system_prompt": "Go.",
        "model": inner,
    }
    return create_deep_agent(model=model(lead), subagents=[subagent], checkpointer=InMemorySaver())


def agent() -> Any:
    return LangGraphProvider(graph(), **options)


options: Any = {"subagents": "hidden"}
hidden = ["write_file"]
chat = [say("Research", shows="Here is the summary."), say("More", shows="I have researched it.")]
