"""Any request at all: never a fault of the server, never a hang, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeAlias
from urllib.parse import quote

import anyio
import psutil
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py import (
    CopilotRuntime,
    Limits,
    MemoryStateStore,
    Recording,
    Retention,
    create_router,
)
from copilotkit_runtime_py.agui import events
from tests.attacks.graphql import RUN, data
from tests.examples import examples
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import PATH, run_body

Request: TypeAlias = tuple[str, str, bytes, dict[str, str]]

FEW, MANY, ROUNDS = 150, 1_000, 8

# What programs take for something else than it is.
ODD = st.sampled_from(
    [
        *(
            "",
            "t1",
            "agent",
            "default",
            "..",
            "%2e%2e",
            "null",
            "__proto__",
            "\0",
            "\r\n",
            "\u2028",
            "\ud800",
        ),
        *("1", "-1", "1e999", "9" * 30, "x" * 2000, "[]", "{}", "true", "RUN_ERROR", "2026-01-01T00:00:00Z"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | ODD
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

MESSAGES: list[Any] = [
    {"id": "u1", "role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "binary", "url": "x"}]},
    {
        "id": "a1",
        "role": "assistant",
        "toolCalls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"id": "r1", "role": "tool", "toolCallId": "c1", "content": "done"},
]
TOOLS = [{"name": "f", "description": "", "parameters": {"type": "object"}}]
AGUI = run_body(
    messages=MESSAGES,
    tools=TOOLS,
    context=[{"description": "d", "value": "v"}],
    resume=[{"interruptId": "i", "status": "resolved", "payload": {}}],
    lastSeenEventId="1:1",
)
GRAPHQL = {
    "query": RUN,
    "operationName": None,
    "variables": {
        "properties": {"a": 1},
        "data": data(
            {
                "id": "c1",
                "createdAt": "2026-01-01T00:00:00Z",
                "actionExecutionMessage": {"name": "f", "arguments": "{}"},
            },
            frontend={"actions": [{"name": "f", "description": "", "jsonSchema": "{}"}], "url": "x"},
            agentSession={"agentName": "agent"},
            agentStates=[{"agentName": "agent", "state": "{}", "config": "{}"}],
            metaEvents=[{"name": "LangGraphInterruptEvent", "value": "v", "response": "{}"}],
            forwardedParameters={"temperature": 0.5},
        ),
    },
}
LOAD = {
    "query": "query ($data: LoadAgentStateInput!) { loadAgentState(data: $data) { state messages } }",
    "variables": {"data": {"threadId": "t1", "agentName": "agent"}},
}
METHODS = ("info", "agent/run", "agent/connect", "agent/suggest", "agent/stop", "transcribe", "debug/events")
ENVELOPES = [
    {"method": method, "params": {"agentId": "agent", "threadId": "t1"}, "body": AGUI} for method in METHODS
] + [
    {"method": "resource/request", "params": {"path": path, "httpMethod": verb}, "body": {"name": "x"}}
    for path, verb in (
        ("/threads?limit=1&cursor=t1", "GET"),
        ("/threads/t1", "PATCH"),
        ("/threads/t1/events", "GET"),
    )
]
AUDIO = {"audio": "eA==", "mimeType": "audio/webm", "filename": "a"}
# What real clients send: a method, a path and a body.
TARGETS: list[tuple[str, str, Any]] = [
    *(("POST", "", body) for body in (GRAPHQL, GRAPHQL, LOAD, *ENVELOPES)),
    *(("POST", f"/agent/agent/{verb}", AGUI) for verb in ("run", "run", "connect", "suggest")),
    ("POST", "/agent/agent/stop/t1", {"runId": "r1"}),
    ("POST", "/transcribe", AUDIO),
    ("PATCH", "/threads/t1", {"name": "x", "archived": False}),
    ("DELETE", "/threads/t1", None),
    *(
        ("POST", path, {})
        for path in ("/threads/clear", "/threads/subscribe", "/threads/t1/archive", "/annotate")
    ),
    *(("GET", f"/threads{path}", None) for path in ("", "/t1/messages", "/t1/events", "/t1/state")),
    *(("GET", path, None) for path in ("", "/", "/info", "/inspector-metadata", "/cpk-debug-events")),
]
HEADERS = {
    "content-type": ["text/plain", "", "multipart/form-data; boundary=x", ";", "multipart/form-data"],
    "accept": ["*/*", "text/html", "multipart/mixed", "application/json", ";q=", "\u00e9"],
    "origin": ["null", "https://evil.example"],
    "last-event-id": ["1:1", "999999999:9/9", "x", "\u0663:\u0664"],
    "content-length": ["0", "\u00b2", "-1", "9" * 40],
    "x-copilotkit-runtime-client-gql-version": ["1.10.6", "2", "x" * 500],
    "x-copilotcloud-public-api-key": ["k"],
}
QUERIES = ["?limit=-1&cursor=%00", "?limit=1&cursor=t1", "?query=%7Bhello%7D", "?query=%7B", "?a=%ff"]
JUNK = [b"", b"[" * 5000, b'{"a":' * 5000, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n']


@st.composite
def changed(draw: st.DrawFn, valid: Any) -> Any:
    """A valid value of which something is missing, or is something else."""
    if not isinstance(valid, dict | list) or not valid or draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    if isinstance(valid, list):
        place = draw(st.integers(0, len(valid) - 1))
        return [*valid[:place], draw(changed(valid[place])), *valid[place + 1 :]]
    key = draw(st.sampled_from(sorted(valid)))
    match draw(st.sampled_from(["change", "change", "drop", "add"])):
        case "drop":
            return {name: value for name, value in valid.items() if name != key}
        case "add":
            return valid | {draw(ODD): draw(JSON)}
    return valid | {key: draw(changed(valid[key]))}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def seldom(odd: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    return st.integers(0, 7).flatmap(lambda dice: st.just(usual) if dice else odd)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request that is nearly right."""
    method, path, body = draw(st.sampled_from(TARGETS))
    content = draw(
        seldom(
            JSON.map(encoded) | st.binary(max_size=200) | st.sampled_from(JUNK),
            encoded(draw(st.just(body) | changed(body) | changed(body))),
        )
    )
    method = draw(
        seldom(st.sampled_from(["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]), method)
    )
    odd_id = ODD.map(lambda odd: path.replace("t1", quote(odd, safe="", errors="replace")))
    path = draw(seldom(odd_id, path)) + draw(seldom(st.sampled_from(QUERIES), ""))
    headers = draw(
        seldom(
            st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in HEADERS.items()}),
            {"accept": draw(st.sampled_from(["text/event-stream", "multipart/mixed", "application/json"]))},
        )
    )
    return method, path, content, headers


async def echo(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.state_snapshot(input.state)
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "hello"}
    yield {"type": "CUSTOM", "name": "sent", "value": [m.model_dump(by_alias=True) for m in input.messages]}


class Transcriber:
    async def transcribe(self, recording: Recording) -> str:
        return recording.filename


class Fuzzed:
    """A server that is sent one request after the other."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._runtime = CopilotRuntime(
            {"agent": echo, "default": echo},
            transcription_service=Transcriber(),
            limits=Limits(busy_seconds=0),
            state_store=MemoryStateStore(
                retention=Retention(max_threads=5, max_runs_per_thread=5, max_bytes=1_000_000)
            ),
        )
        self._app = FastAPI()
        self._app.include_router(create_router(self._runtime, PATH))

    def send(self, request: Request) -> None:
        self._runner.run(self._send(*request))

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        others = asyncio.all_tasks()
        with anyio.fail_after(10):
            async with Exchange(self._app, method, PATH + path, body, headers) as exchange:
                told = await exchange.body()
            while ended := asyncio.all_tasks() - others:
                await asyncio.wait(ended)
        assert exchange.status < 500
        assert b"error id" not in told

    def close(self) -> None:
        self._runner.run(self._runtime.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    fuzzed = Fuzzed()
    yield fuzzed
    fuzzed.close()


@settings(max_examples=examples(FEW), suppress_health_check=list(HealthCheck))
@given(request=requests())
def test_no_request_is_a_fault_of_the_server_or_leaves_a_task(fuzzed: Fuzzed, request: Request) -> None:
    fuzzed.send(request)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_thousands_of_requests_of_any_kind_leave_the_memory_as_it_was() -> None:
    sent: list[Request] = []

    @settings(
        max_examples=MANY, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(requests())
    def collect(request: Request) -> None:
        sent.append(request)

    collect()
    fuzzed, held = Fuzzed(), list[int]()
    for _ in range(ROUNDS):
        for request in sent:
            fuzzed.send(request)
        gc.collect()
        held.append(psutil.Process().memory_info().rss)
    fuzzed.close()

    # The caches are full after the first rounds.
    assert held[-1] - held[ROUNDS // 2] < 4 * 1024 * 1024
