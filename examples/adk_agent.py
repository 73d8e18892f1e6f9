r"""An agent of Google's ADK, in its AG-UI adapter. No API key is needed: its model follows a script.

    uv run --no-dev --with ag-ui-adk \
        copilotkit-runtime-py serve --agent echo=examples/adk_agent.py:echo

Each thread is an ADK session in memory, and a user of its own.
"""

from collections.abc import AsyncGenerator

from ag_ui_adk import ADKAgent
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai.types import Content, Part


class Script(BaseLlm):
    """Repeats the last message, word by word."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        said = llm_request.contents[-1].parts[-1].text
        for word in said.split():
            yield LlmResponse(content=Content(role="model", parts=[Part(text=f"{word} ")]), partial=True)
        yield LlmResponse(content=Content(role="model", parts=[Part(text=f"{said} ")]))


# For a real model, put its name in the place of the script: LlmAgent(model="gemini-2.5-flash", ...).
agent = LlmAgent(name="echo", model=Script(model="script"))

# The adapter runs ten agents at once and refuses others, unless it is told otherwise.
echo = ADKAgent(adk_agent=agent, app_name="echo", max_concurrent_executions=100)
