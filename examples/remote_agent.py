"""An agent behind a URL: a server that speaks AG-UI and knows nothing of CopilotKit, and the runtime.

    uv run --no-dev uvicorn examples.remote_agent:app

Both are in this one process, so that one command starts them; the runtime reaches the agent over HTTP all the
same. `AGENT_URL` names an agent elsewhere, or this one if the server has another port than 8000.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ag_ui.core import (
    RunAgentInput,
    RunFinishedEvent,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
)
from ag_ui.encoder import EventEncoder
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from copilotkit_runtime_py import CopilotRuntime, create_router, drain_on_signal
from copilotkit_runtime_py.providers.remote import RemoteProvider

AGENT_URL = os.environ.get("AGENT_URL", "http://127.0.0.1:8000/agents/echo")

runtime = CopilotRuntime(
    agents={"echo": RemoteProvider(AGENT_URL, idle_timeout=60, description="Says it once more.")}
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    print(f"The runtime asks the agent at {AGENT_URL}. With another --port, set AGENT_URL.")
    with drain_on_signal(runtime, seconds=10):
        yield
    await runtime.aclose()


app = FastAPI(lifespan=lifespan)
app.include_router(create_router(runtime))


@app.post("/agents/echo")
def echo(input: RunAgentInput) -> StreamingResponse:
    """The agent: what any framework's AG-UI server does."""
    encoder = EventEncoder()
    said = str(input.messages[-1].content) if input.messages else "Nothing"
    ids = {"thread_id": input.thread_id, "run_id": input.run_id}
    message = f"{input.run_id}-answer"
    stream = [
        RunStartedEvent(**ids),
        TextMessageStartEvent(message_id=message, role="assistant"),
        *(TextMessageContentEvent(message_id=message, delta=f"{word} ") for word in said.split()),
        TextMessageEndEvent(message_id=message),
        RunFinishedEvent(**ids),
    ]
    return StreamingResponse(map(encoder.encode, stream), media_type=encoder.get_content_type())
