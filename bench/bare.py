"""A FastAPI application that streams what the agent says, without a runtime."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from bench.function_agent import agent

app = FastAPI()


@app.post("/agent/bench/run")
async def run(request: Request) -> StreamingResponse:
    body: dict[str, Any] = await request.json()

    async def frames() -> AsyncIterator[str]:
        async for event in agent(RunAgentInput.model_validate(body)):
            yield f"data: {json.dumps(event)}\n\n"

    return StreamingResponse(frames(), media_type="text/event-stream")
