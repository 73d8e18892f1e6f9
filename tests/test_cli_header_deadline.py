"""Connections on which the headers of a request do not come."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from copilotkit_runtime_py.cli import header_deadline
from copilotkit_runtime_py.cli.header_deadline import HeaderDeadlineProtocol

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_connection_is_closed_when_headers_do_not_come_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(header_deadline, "HEADER_SECONDS", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        PlainTextResponse("hello"), http=HeaderDeadlineProtocol, log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        (silent, w1), (partial, w2), (again, w3) = [
            await asyncio.open_connection(*listener.getsockname()) for _ in range(3)
        ]
        w2.write(REQUEST[:10])
        w3.write(REQUEST)
        assert (await again.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
        w3.write(REQUEST[:10])
        assert [await reader.read() for reader in (silent, partial, again)] == [b"", b"", b""]
        for writer in (w1, w2, w3):
            writer.close()
            await writer.wait_closed()
    finally:
        server.should_exit = True
        await serving
