"""A client that talks to an ASGI application in its own loop, event by event."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import anyio
from starlette.types import ASGIApp, Message

from copilotkit_runtime_py.agui.sse import EventStreamParser

PATIENCE = 10


class Exchange:
    """One request and its answer, which is read as it is sent. Leaving the context is hanging up.

    Attributes:
        status: the HTTP status.
        headers: the response headers, names in lower case.
    """

    def __init__(
        self,
        app: ASGIApp,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._app = app
        target, _, query = path.partition("?")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json", "accept": "text/event-stream", **(headers or {})}
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": target,
            "raw_path": target.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
        }
        self._requested: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
        self._left = asyncio.Event()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._app(self._scope, self._receive, self._send))
        with anyio.fail_after(PATIENCE):
            start = await self._next()
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        with anyio.fail_after(PATIENCE):
            await self._task

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the pieces of the body as they were sent."""
        while True:
            with anyio.fail_after(PATIENCE):
                message = await self._next()
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    async def body(self) -> bytes:
        """Returns the whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def json(self) -> Any:
        """Returns the body's value."""
        return json.loads(await self.body())

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yields the events of the body as they arrive."""
        parser = EventStreamParser(1 << 30)
        async for chunk in self.chunks():
            for data in parser.feed(chunk):
                yield json.loads(data)

    async def all_events(self) -> list[dict[str, Any]]:
        """Returns the events of the whole body."""
        return [event async for event in self.events()]

    async def _next(self) -> Message:
        getting = asyncio.ensure_future(self._sent.get())
        await asyncio.wait({getting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and self._sent.empty():
            getting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await getting
            self._task.result()
            raise AssertionError("the application returned without a whole answer")
        return await getting

    async def _receive(self) -> Message:
        if self._requested:
            return self._requested.pop()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._left.is_set():
            self._sent.put_nowait(message)
