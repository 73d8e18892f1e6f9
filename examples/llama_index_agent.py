r"""An agent of LlamaIndex, in its AG-UI workflow. No API key is needed: its model follows a script.

    uv run --no-dev --with llama-index-protocols-ag-ui \
        copilotkit-runtime-py serve --agent echo=examples/llama_index_agent.py:echo

The conversation comes with each request, so the workflow needs no memory.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from ag_ui.core import BaseEvent, RunAgentInput
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.protocols.ag_ui.agent import AGUIChatWorkflow
from llama_index.protocols.ag_ui.router import AG_UI_EVENTS


def script(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
    """Repeats the last message."""
    return ChatMessage(role="assistant", content=f"{messages[-1].content} ")


def weather(place: str) -> str:
    """Look up the weather in a place."""
    return f"It is 21 °C and sunny in {place}."


async def echo(input: RunAgentInput) -> AsyncIterator[BaseEvent]:
    # For a real model, put it in the place of the script: OpenAI(model="gpt-5-mini").
    model = MockFunctionCallingLLM(response_generator=script)
    workflow = AGUIChatWorkflow(llm=model, backend_tools=[weather])
    handler = workflow.run(input_data=input)
    try:
        async for event in handler.stream_events():
            if isinstance(event, AG_UI_EVENTS):
                yield event
        await handler
    finally:
        await handler.cancel_run()
