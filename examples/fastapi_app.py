"""A FastAPI app of one's own with an agent in it.

    uv run --no-dev uvicorn examples.fastapi_app:app

The agent is a plain async generator, so this needs no framework.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, StopGeneration, create_router


async def parrot(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Repeats the last message, word by word."""
    last = input.messages[-1] if input.messages else None
    text = last.content if last is not None and isinstance(last.content, str) else "Nothing to repeat."
    message = uuid4().hex
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    for word in text.split():
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": f"{word} "}
        await asyncio.sleep(0.1)
    yield {"type": "TEXT_MESSAGE_END", "messageId": message}


def stopped(stop: StopGeneration) -> None:
    print(f"The user stopped run {stop.request.run_id}.")


runtime = CopilotRuntime(agents={"parrot": parrot}, on_stop_generation=stopped)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await runtime.aclose()


app = FastAPI(lifespan=lifespan)
app.include_router(create_router(runtime, path="/api/copilotkit"))


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
