"""Clients that keep a connection and do nothing with it, on a real server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psutil
import pytest
import uvicorn
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, Limits, RequestContext, create_router
from copilotkit_runtime_py.agui import events
from tests.attacks.graphql import RUN, data
from tests.protocols.agui.served import PATH, Served, run_body

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("http", ["httptools", "h11"])]

FLOOD = 200
PIECE = 100_000


async def flood(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Says far more than a connection buffers."""
    yield events.text_start("m1")
    for _ in range(FLOOD):
        yield events.text_content("m1", "x" * PIECE)
    yield events.text_end("m1")


@asynccontextmanager
async def listening(limits: Limits, http: Any) -> AsyncIterator[tuple[CopilotRuntime, int]]:
    runtime = CopilotRuntime({"agent": flood}, limits=limits)
    app = FastAPI()
    app.include_router(create_router(runtime, PATH))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, http=http, lifespan="off", log_level="critical", timeout_graceful_shutdown=0)
        )
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield runtime, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
            await runtime.aclose()


def request(path: str, body: Any, *, length: int | None = None) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {PATH}{path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream, multipart/mixed\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length or len(content)}\r\n\r\n"
    )
    return head.encode() + content


def answers() -> set[asyncio.Task[Any]]:
    """The answers under way, by the task with which each watches for its client to leave."""
    return {task for task in asyncio.all_tasks() if task.get_name() == "stream disconnect"}


async def send(port: int, content: bytes) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, content)
    return client


@pytest.mark.attack(42)
async def test_a_reader_who_reads_nothing_is_left_and_the_run_is_not(http: str) -> None:
    async with listening(Limits(reader_seconds=0.2), http) as (runtime, port):
        before = psutil.Process().memory_info().rss
        with await send(port, request("/agent/agent/run", run_body())), anyio.fail_after(20):
            while not (answering := answers()):  # noqa: ASYNC110
                await anyio.sleep(0.001)
            run = runtime.active_run("t1", RequestContext())
            assert run is not None
            await run.wait()
            held = psutil.Process().memory_info().rss - before
            await asyncio.wait(answering)
        told = await Served(runtime).events(Served(runtime).connect())

    said = [event for event in told if event["type"] == "TEXT_MESSAGE_CONTENT"]
    assert sum(len(event["delta"]) for event in said) == FLOOD * PIECE
    # The events, the log in its two forms, the conversation: and nothing for the reader.
    assert held < 4.8 * FLOOD * PIECE


@pytest.mark.attack(42)
async def test_a_graphql_client_who_reads_nothing_has_left(http: str) -> None:
    query = RUN.replace("messages {", "messages @stream {").replace("content }", "content @stream }")
    async with listening(Limits(reader_seconds=0.1), http) as (_, port):
        body = {"query": query, "variables": {"data": data()}}
        with await send(port, request("", body)), anyio.fail_after(20):
            while not (answering := answers()):  # noqa: ASYNC110
                await anyio.sleep(0.001)
            await asyncio.wait(answering)


@pytest.mark.attack(19)
async def test_a_body_that_does_not_come_is_given_up_with_its_connection(http: str) -> None:
    async with listening(Limits(request_seconds=0.05), http) as (_, port):
        with await send(port, request("/agent/agent/run", {}, length=1000)) as client, anyio.fail_after(20):
            answer = b""
            while chunk := await asyncio.get_running_loop().sock_recv(client, 65536):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 408 ")
