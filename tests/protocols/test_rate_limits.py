"""How each contract tells a client that it asks for too much."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Request

from copilotkit_runtime_py import CopilotRuntime, Limits, Recording, create_router
from copilotkit_runtime_py.agui import events
from tests.attacks import graphql
from tests.protocols.agui.served import PATH, Served, run_body

pytestmark = pytest.mark.anyio

TOLD = "You may start 1 runs a minute. Please try again in 60 seconds."


async def hello(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")


class Typist:
    async def transcribe(self, recording: Recording) -> str:
        return "hi"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A runtime whose only user has used up what they may start in a minute."""
    limits = Limits(runs_per_minute_per_owner=1)
    runtime = CopilotRuntime({"agent": hello}, limits=limits, transcription_service=Typist())
    app = FastAPI()

    async def user(request: Request) -> str:
        return "ann"

    app.include_router(create_router(runtime, path=PATH, identify=user))
    served = Served(runtime, app=app)
    await served.events(served.run())
    yield served
    await runtime.aclose()


async def test_a_frontend_that_asks_for_a_stream_is_told_in_it(served: Served) -> None:
    assert await served.events(served.run(run="r2")) == [
        {"type": "RUN_ERROR", "message": TOLD, "code": "RATE_LIMITED"}
    ]


async def test_whoever_asks_for_no_stream_gets_429_and_when_to_come_back(served: Served) -> None:
    headers = {"accept": "application/json"}
    async with served.agent("run", "agent", run_body(run="r2"), headers) as exchange:
        assert (exchange.status, exchange.headers["retry-after"]) == (429, "60")
        assert await exchange.json() == {"error": TOLD, "message": TOLD, "code": "RATE_LIMITED"}


async def test_suggestions_are_refused_like_runs(served: Served) -> None:
    async with served.agent("suggest", "agent", run_body(run="r2")) as exchange:
        assert (exchange.status, exchange.headers["retry-after"]) == (429, "60")


async def test_a_recording_too_many_is_refused_in_the_form_of_transcriptions(served: Served) -> None:
    body = {"audio": base64.b64encode(b"x").decode(), "mimeType": "audio/webm"}
    async with served.request("POST", "/transcribe", body) as exchange:
        assert (exchange.status, exchange.headers["retry-after"]) == (429, "60")
        assert await exchange.json() == {"error": "rate_limited", "message": TOLD, "retryable": True}


async def test_an_older_frontend_is_told_in_an_error_with_a_code(served: Served) -> None:
    async with graphql.ask(served, graphql.RUN, {"data": graphql.data()}) as exchange:
        (error,) = (await exchange.json())["errors"]
    assert error["message"] == TOLD
    told = {name: error["extensions"][name] for name in ("code", "statusCode", "retryAfter")}
    assert told == {"code": "RATE_LIMITED", "statusCode": 429, "retryAfter": 60}


async def test_reading_and_stopping_stay_possible(served: Served) -> None:
    assert (await served.events(served.connect()))[-1]["type"] == "RUN_FINISHED"
    status, _ = await served.json(served.stop())
    assert status == 200
