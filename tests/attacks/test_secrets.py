"""Planted credentials: they reach the agent that they are for, and neither logs nor answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import AgentError, CopilotRuntime, Recording, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.logs.records import FIELDS
from tests.attacks import graphql
from tests.protocols.agui.served import Served, run_body, serve

pytestmark = [pytest.mark.anyio, pytest.mark.attack(36)]

HEADERS = {
    "authorization": "Bearer planted-authorization",
    "cookie": "session=planted-cookie",
    "x-api-key": "planted-api-key",
    "x-copilotcloud-public-api-key": "ck_pub_planted0123456789",
}
PROPERTIES = {"accessToken": "planted-property", "page": "1"}
VENDOR = "Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-planted*****1234.'}}"


def complete(records: list[logging.LogRecord]) -> str:
    """Everything that a handler could write of records."""
    formatter = logging.Formatter("%(message)s " + " ".join(f"%({name})s" for name in FIELDS))
    return "\n".join(formatter.format(record) for record in records)


async def quoting(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
    """Fails, and quotes all that it was given."""
    yield events.text_start("m1")
    assert context.headers["authorization"] == HEADERS["authorization"]
    raise ConnectionError(f"{context.headers} {context.properties} {VENDOR} postgresql://ann:planted@db/x")


async def telling(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
    """Fails with a message for the client, in which a vendor quotes a key."""
    yield events.text_start("m1")
    raise AgentError(f"{VENDOR} for {context.headers['authorization']}")


async def own_error(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
    """Ends with an error event of its own."""
    yield events.run_error(f"{VENDOR} for {context.properties['accessToken']}")


@pytest.mark.parametrize("development", [False, True])
@pytest.mark.parametrize("agent", [quoting, telling, own_error])
async def test_no_credential_reaches_logs_or_answers_on_the_agui_contract(
    agent: Any, development: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "copilotkit_runtime_py")
    async with serve({"agent": agent}, development=development) as served:
        body = run_body(forwardedProps=PROPERTIES)
        async with served.agent("run", "agent", body, HEADERS) as exchange:
            received = await exchange.all_events()
        replayed = await served.events(served.connect())
    assert received[-1]["type"] == "RUN_ERROR"
    # What the run was asked is told to its owner as the owner sent it.
    told = [event for event in received + replayed if event["type"] != "RUN_STARTED"]
    assert "planted" not in str(told)
    assert "planted" not in complete(caplog.records)


@pytest.mark.parametrize("development", [False, True])
@pytest.mark.parametrize("agent", [quoting, telling, own_error])
async def test_no_credential_reaches_logs_or_answers_on_the_graphql_contract(
    agent: Any, development: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "copilotkit_runtime_py")
    async with serve({"agent": agent}, development=development) as served:
        variables = {"data": graphql.data(), "properties": PROPERTIES}
        request = {"query": graphql.RUN, "variables": variables}
        async with graphql.post(served, request, HEADERS) as exchange:
            body = await exchange.body()
    assert b"FAILED" in body.upper()
    assert b"planted" not in body
    assert "planted" not in complete(caplog.records)


async def test_no_cookie_and_no_cloud_key_reaches_an_agent() -> None:
    seen: dict[str, str] = {}

    async def looking(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
        seen.update(context.headers)
        yield events.text_start("m1")

    async with (
        serve({"agent": looking}) as served,
        served.agent("run", "agent", run_body(), HEADERS) as exchange,
    ):
        await exchange.all_events()
    assert sorted(seen) == ["authorization", "x-api-key"]


async def test_a_hook_that_fails_on_a_credential_does_not_tell_it(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: Any) -> None:
        raise ValueError(f"no such key: {request.context.headers['x-api-key']}")

    async with (
        serve({"agent": quoting}, on_before_request=refuse, development=True) as served,
        served.agent("run", "agent", run_body(), HEADERS) as exchange,
    ):
        (refused,) = await exchange.all_events()
    assert refused["message"] == "ValueError: no such key: ***"
    assert "planted" not in complete(caplog.records)


class Failing:
    """A transcription service whose vendor quotes the key."""

    async def transcribe(self, recording: Recording) -> str:
        raise PermissionError(VENDOR)


@pytest.mark.parametrize("path", ["stream", "json", "graphql", "threads", "transcribe"])
async def test_an_unexpected_error_has_one_id_in_the_answer_and_in_the_log(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> bool:
        raise LookupError(VENDOR)

    runtime = CopilotRuntime({"agent": quoting}, authorize=refuse, transcription_service=Failing())
    served = Served(runtime)
    exchange = {
        "stream": lambda: served.run(),
        "json": lambda: served.request("GET", "/info"),
        "graphql": lambda: graphql.ask(served, graphql.RUN, {"data": graphql.data()}),
        "threads": lambda: served.request("GET", "/threads?agentId=agent"),
        "transcribe": lambda: served.request(
            "POST", "/transcribe", {"audio": "eA==", "mimeType": "audio/webm"}
        ),
    }[path]()
    async with exchange:
        answer = (await exchange.body()).decode()
    await runtime.aclose()
    (record,) = [record for record in caplog.records if "error id" in record.getMessage()]
    error_id = record.getMessage().rpartition("error id ")[2].rstrip(")")
    assert f"(error id {error_id})" in answer
    assert "planted" not in answer + complete(caplog.records)
