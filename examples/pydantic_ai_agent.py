r"""A Pydantic AI agent. No API key is needed: its model follows a script.

    uv run --no-dev --with 'pydantic-ai-slim[ag-ui]' \
        copilotkit-runtime-py serve --agent weather=examples/pydantic_ai_agent.py:agent

The model is offered the page's tools along with the agent's own. The conversation comes with each request,
so the agent needs no memory.
"""

import json
from collections.abc import AsyncIterator

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel


async def script(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    """Looks up the weather at the last word of the question, and tells it."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        for word in str(last.content).split():
            yield f"{word} "
    elif isinstance(last, UserPromptPart):
        place = str(last.content).split()[-1].strip("?!.")
        yield {0: DeltaToolCall(name="look_up_weather", json_args=json.dumps({"place": place}))}


def look_up_weather(place: str) -> str:
    """Look up the weather in a place."""
    return f"It is 21 °C and sunny in {place}."


# For a real model, put its name in the place of the script: Agent("openai:gpt-5-mini", ...).
agent = Agent(FunctionModel(stream_function=script), tools=[look_up_weather])
