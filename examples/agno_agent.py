r"""An Agno agent. No API key is needed: its model follows a script.

    uv run --no-dev --with agno \
        copilotkit-runtime-py serve --agent notes=examples/agno_agent.py:agent

Each thread is an Agno session, which stores the conversation.
"""

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse


class Script(Model):
    """Repeats everything that the user has said on the thread."""

    async def ainvoke_stream(self, messages: list[Message], **_: Any) -> AsyncIterator[ModelResponse]:
        yield ModelResponse(content="You have noted: ")
        notes = [str(message.content) for message in messages if message.role == "user"]
        for number, note in enumerate(notes):
            yield ModelResponse(content=f", {note}" if number else note)

    def _unused(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    invoke = ainvoke = invoke_stream = _unused
    _parse_provider_response = _parse_provider_response_delta = _unused


# For a real model, put its name in the place of the script: Agent(model="openai:gpt-5-mini", ...).
agent = Agent(model=Script(id="script"), db=InMemoryDb(), add_history_to_context=True, telemetry=False)
