"""One of several workers. Its agent counts slowly, so that there is time to look at the run from another one.

`STORE` is the URL of the store that the workers share; `PAUSE` and `LEASE` are in seconds. README.md says how
to start them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Request, Response

from copilotkit_runtime_py import (
    CopilotRuntime,
    create_health_router,
    create_router,
    drain_on_signal,
    open_state_store,
)

PAUSE, LEASE = float(os.environ.get("PAUSE", "1")), float(os.environ.get("LEASE", "10"))


async def counter(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Counts to 30, and says which worker it is."""
    message = f"{input.run_id}-answer"
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": f"Worker {os.getpid()} counts:"}
    for number in range(1, 31):
        await asyncio.sleep(PAUSE)
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": f" {number}"}
    yield {"type": "TEXT_MESSAGE_END", "messageId": message}


store = open_state_store(os.environ["STORE"], lease_seconds=LEASE)
runtime = CopilotRuntime(agents={"counter": counter}, state_store=store)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with drain_on_signal(runtime, seconds=10):
        yield
    await runtime.aclose()


app = FastAPI(lifespan=lifespan)
app.include_router(create_health_router(runtime))
app.include_router(create_router(runtime))


@app.middleware("http")
async def name_worker(request: Request, call_next: Any) -> Response:
    """Tells which worker has answered."""
    response: Response = await call_next(request)
    response.headers["x-worker"] = str(os.getpid())
    return response
