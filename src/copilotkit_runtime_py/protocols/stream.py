"""Streaming responses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..logs.records import get_logger

logger = get_logger(__name__)

EVENT_STREAM_HEADERS: Final = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
"""The headers of an event stream that proxies must neither hold back nor compress."""

# Servers copy what they send, so a large answer leaves in pieces of so many bytes.
_PIECE: Final = 256 * 1024


class ResponseFeed(Protocol):
    """The content of a streaming response."""

    def take(self) -> bytes:
        """Returns bytes that are ready to be sent, or nothing. Called again until nothing is left."""

    def heartbeat(self) -> bytes:
        """Returns a chunk without content that keeps the stream open, or nothing if none can be sent yet."""

    @property
    def exhausted(self) -> bool:
        """Whether everything was taken and nothing can follow."""

    def close(self) -> None:
        """Called once, when the answer is complete or the client has left."""


class StreamResponse(Response):
    """Sends a feed: bytes that become ready together are sent together.

    The headers are sent at once. A heartbeat ends every silence. Nothing depends on what the ASGI server does
    when the client leaves: the response notices that itself, and closes the feed. A client that stays and
    reads nothing holds no more than the server's buffer, and is disconnected after a while.

    Args:
        open_feed: makes the feed; it is given the function to call when there may be something to take.
        heartbeat_seconds: the longest silence.
        reader_seconds: how long the client may read nothing of what is sent.
        headers: the headers.
    """

    def __init__(
        self,
        open_feed: Callable[[Callable[[], None]], ResponseFeed],
        *,
        heartbeat_seconds: float,
        reader_seconds: float,
        headers: Mapping[str, str],
    ) -> None:
        self._open_feed = open_feed
        self._heartbeat_seconds = heartbeat_seconds
        self._reader_seconds = reader_seconds
        self._sending_since: float | None = None
        self._gone = False
        self.background = None
        self.status_code = 200
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""
        self._changed = asyncio.Event()
        feed = self._open_feed(self._changed.set)
        watch = asyncio.create_task(self._watch(receive), name="stream disconnect")
        try:
            async with asyncio.timeout(None) as deadline:
                self._check_reader(deadline)
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                # Some servers keep the headers back until there is a body, be it empty.
                await self._send_body(send, b"")
                await self._send(send, feed)
        except OSError:
            if deadline.expired():
                logger.warning("disconnected a client that read nothing for %g seconds", self._reader_seconds)
            else:
                logger.debug("the client left")
        finally:
            feed.close()
            watch.cancel()
            self._reader_timer.cancel()

    def _check_reader(self, deadline: asyncio.Timeout) -> None:
        """Ends the answer if it waits for the reader for too long, and looks again when it may do so."""
        loop = asyncio.get_running_loop()
        now, since = loop.time(), self._sending_since
        due = (now if since is None else since) + self._reader_seconds
        if due <= now:
            deadline.reschedule(now)
            return
        self._reader_timer = loop.call_at(due, self._check_reader, deadline)

    async def _send(self, send: Send, feed: ResponseFeed) -> None:
        time, changed = asyncio.get_running_loop().time, self._changed
        sent_at = time()
        timer = self._schedule_beat(sent_at)
        try:
            while not self._gone:
                changed.clear()
                out = feed.take()
                if not out and feed.exhausted:
                    await self._send_body(send, b"", more=False)
                    return
                if self._beat_due:
                    silent = time() - sent_at > 0.9 * self._heartbeat_seconds
                    out = out or (feed.heartbeat() if silent else b"")
                    timer = self._schedule_beat(time() if out else sent_at)
                if out:
                    for start in range(0, len(out), _PIECE):
                        await self._send_body(send, out[start : start + _PIECE])
                    sent_at = time()
                else:
                    await changed.wait()
        finally:
            timer.cancel()

    def _schedule_beat(self, sent_at: float) -> asyncio.TimerHandle:
        self._beat_due = False
        return asyncio.get_running_loop().call_at(sent_at + self._heartbeat_seconds, self._beat)

    def _beat(self) -> None:
        self._beat_due = True
        self._changed.set()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._changed.set()

    async def _send_body(self, send: Send, body: bytes, *, more: bool = True) -> None:
        self._sending_since = asyncio.get_running_loop().time()
        await send({"type": "http.response.body", "body": body, "more_body": more})
        self._sending_since = None
