"""The load generator: raw sockets that keep the bytes and the time they came, to be looked at afterwards."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import copilotkit_runtime_py

STAMP = re.compile(rb"@(\d{9,})@")
CONTRACT = Path(copilotkit_runtime_py.__file__).parent / "protocols/graphql/contract"
MUTATION = (CONTRACT / "operations.graphql").read_text(encoding="utf-8").split("\n\n")[-1].rstrip("\n")
URQL_ACCEPT = (
    "application/graphql-response+json, application/graphql+json, application/json, "
    "text/event-stream, multipart/mixed"
)
GRAPHQL_END, AGENT_END = b'"hasNext":false', b'"RUN_FINISHED"'


@dataclass
class Exchange(asyncio.Protocol):
    """One request, and everything that came back.

    Attributes:
        request: the bytes to send.
        end: the bytes after which the answer is complete.
        started: when the request was sent, in nanoseconds.
        received: what came, and when.
        done: resolves when `end` came.
    """

    request: bytes
    end: bytes
    started: int = 0
    received: list[tuple[int, bytes]] = field(default_factory=list)
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _tail: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.started = time.monotonic_ns()
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received.append((time.monotonic_ns(), data))
        self._tail = self._tail[-len(self.end) :] + data[-64:]
        if self.end in data or self.end in self._tail:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the answer broke off: {self.received[-1:]}"))

    @property
    def total(self) -> float:
        """Milliseconds from the request to the end of the answer."""
        return (self.received[-1][0] - self.started) / 1e6

    @property
    def first_chunk(self) -> float:
        """Milliseconds from the request to the first chunk of text."""
        for at, data in self.received:
            if STAMP.search(data):
                return (at - self.started) / 1e6
        raise ValueError("the answer has no text")

    def latencies(self) -> list[float]:
        """Milliseconds from the agent to here, for every chunk."""
        return [(at - int(stamp)) / 1e6 for at, data in self.received for stamp in STAMP.findall(data)]


def post(url: str, body: dict[str, Any], accept: str) -> bytes:
    parts = urlsplit(url)
    content = json.dumps(body).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


def graphql_request(url: str, order: str, thread: str) -> bytes:
    """The request of a client of generation 1.10, to the agent `bench`."""
    message = {
        "id": "u1",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "textMessage": {"content": order, "role": "user"},
    }
    data = {
        "agentSession": {"agentName": "bench"},
        "agentStates": [],
        "context": [],
        "frontend": {"actions": [], "url": "http://localhost/"},
        "messages": [message],
        "metadata": {"requestType": "Chat"},
        "threadId": thread,
    }
    body = {
        "operationName": "generateCopilotResponse",
        "query": MUTATION,
        "variables": {"data": data, "properties": {}},
    }
    return post(url, body, URQL_ACCEPT)


def agent_request(url: str, order: str, thread: str) -> bytes:
    """The same, straight to the agent."""
    messages = [{"id": "u1", "role": "user", "content": order}]
    return post(url, {"threadId": thread, "runId": "r", "messages": messages}, "text/event-stream")


async def exchange(url: str, request: bytes, end: bytes) -> Exchange:
    """Sends a request on a connection of its own and waits for the end of the answer."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        lambda: Exchange(request, end), parts.hostname or "", parts.port or 80
    )
    await asyncio.wait_for(protocol.done, 120)
    return protocol
