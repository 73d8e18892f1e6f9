"""Two agents: a page may ask for either, and the first one hands over to the second.

    uv run --no-dev uvicorn examples.two_agents:app

The reception answers itself, or calls `workshop` as a tool when the user speaks of something broken. Then the
workshop answers within the same run. Each has a state of its own on the thread.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router, drain_on_signal
from copilotkit_runtime_py.agui import events


def asked(input: RunAgentInput) -> str:
    return next((str(m.content) for m in reversed(input.messages) if m.role == "user"), "")


async def reception(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Stands for a model that decides whether to call the tool that it is offered."""
    if "broken" in asked(input):
        yield events.tool_call_start(f"{input.run_id}-call", "workshop")
        return
    yield events.text_start(f"{input.run_id}-answer")
    yield events.text_content(f"{input.run_id}-answer", "Good morning! What can we do for you?")


async def workshop(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    repaired = [*(input.state or {}).get("repaired", []), asked(input)]
    yield events.text_start(f"{input.run_id}-repair")
    yield events.text_content(f"{input.run_id}-repair", "I shall repair it by tomorrow.")
    yield events.state_snapshot({"repaired": repaired})


runtime = CopilotRuntime(agents={"reception": reception, "workshop": workshop}, default_agent="reception")
runtime.agent_tool("workshop", description="Repairs what is broken.")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with drain_on_signal(runtime, seconds=10):
        yield
    await runtime.aclose()


app = FastAPI(lifespan=lifespan)
app.include_router(create_router(runtime))
