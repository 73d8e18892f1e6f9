"""A deep agent with a subagent that appears in the chat under its own name."""

from typing import Any

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

from ..animal import say
from .deep_agent import graph


def agent() -> Any:
    return LangGraphProvider(graph(), **options)


options: Any = {"subagents": "attributed"}
chat = [say("Research", shows="write_file"), say("More", shows="I have researched it.")]
