"""Answers that are sent piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from copilotkit_runtime_py.protocols.stream import StreamResponse
from tests.protocols.agui.exchange import Exchange

pytestmark = pytest.mark.anyio

BEAT = b": beat\n\n"


class Written:
    """A feed of what a test writes."""

    def __init__(self) -> None:
        self.pending: list[bytes] = []
        self.ended = False
        self.closed = 0
        self.wake: Callable[[], None] = lambda: None

    def open(self, wake: Callable[[], None]) -> Written:
        self.wake = wake
        return self

    def write(self, *pieces: bytes) -> None:
        self.pending.extend(pieces)
        self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def take(self) -> bytes:
        taken, self.pending = b"".join(self.pending), []
        return taken

    def heartbeat(self) -> bytes:
        return BEAT

    @property
    def exhausted(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.closed += 1


def response_of(
    feed: Written, heartbeat_seconds: float = 15.0, reader_seconds: float = 60.0
) -> StreamResponse:
    return StreamResponse(
        feed.open,
        heartbeat_seconds=heartbeat_seconds,
        reader_seconds=reader_seconds,
        headers={"content-type": "text/event-stream"},
    )


def served(feed: Written, heartbeat_seconds: float = 15.0, reader_seconds: float = 60.0) -> Exchange:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await response_of(feed, heartbeat_seconds, reader_seconds)(scope, receive, send)

    return Exchange(app, "GET", "/")


async def test_what_is_ready_together_leaves_together() -> None:
    feed = Written()
    async with served(feed) as exchange:
        chunks = exchange.chunks()
        feed.write(b"a", b"b")
        assert await anext(chunks) == b"ab"
        feed.write(b"c")
        feed.end()
        assert [chunk async for chunk in chunks] == [b"c"]
    assert feed.closed == 1


async def test_headers_leave_with_an_empty_body_for_servers_that_wait_for_one() -> None:
    feed, told, sent = Written(), asyncio.Event(), []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append((message["type"], message.get("body")))
        if len(sent) == 2:
            told.set()

    answer = asyncio.ensure_future(response_of(feed)({"type": "http"}, receive, send))
    await told.wait()
    assert sent == [("http.response.start", None), ("http.response.body", b"")]
    feed.end()
    await answer


async def test_silence_is_broken_by_comments_and_only_silence() -> None:
    feed = Written()
    async with served(feed, heartbeat_seconds=0.01) as exchange:
        chunks = exchange.chunks()
        assert [await anext(chunks) for _ in range(3)] == [BEAT] * 3
        feed.write(b"a")
        while (chunk := await anext(chunks)) != b"a":
            assert chunk == BEAT
        assert await anext(chunks) == BEAT
        feed.end()


async def test_a_client_that_leaves_ends_the_answer_whatever_the_feed_does() -> None:
    feed = Written()
    async with served(feed):
        pass
    assert feed.closed == 1


async def test_an_answer_ends_quietly_where_the_server_says_that_the_client_left() -> None:
    feed = Written()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message.get("body"):
            raise OSError("gone")

    feed.write(b"a")
    await response_of(feed)({"type": "http"}, receive, send)
    assert feed.closed == 1


async def test_a_reader_who_does_not_read_holds_nothing_but_its_place() -> None:
    feed = Written()
    reading = asyncio.Event()
    sent: list[bytes] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message.get("body"):
            await reading.wait()
            sent.append(message["body"])

    answer = asyncio.ensure_future(response_of(feed)({"type": "http"}, receive, send))
    await asyncio.sleep(0)
    for _ in range(3):
        feed.write(b"x")
        await asyncio.sleep(0)
    assert feed.pending
    reading.set()
    feed.end()
    await answer
    assert b"".join(sent) == b"xxx"


@pytest.mark.attack(42)
async def test_a_reader_who_stays_and_reads_nothing_is_left(caplog: pytest.LogCaptureFixture) -> None:
    feed = Written()

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message.get("body"):
            await never()

    feed.write(b"x")
    await response_of(feed, reader_seconds=0.01)({"type": "http"}, never, send)

    assert feed.closed == 1
    assert "read nothing for 0.01 seconds" in caplog.text


@pytest.mark.attack(42)
async def test_a_reader_to_whom_nothing_is_said_for_long_is_not_left() -> None:
    feed = Written()
    async with served(feed, heartbeat_seconds=0.02, reader_seconds=0.01) as exchange:
        chunks = exchange.chunks()
        assert [await anext(chunks) for _ in range(5)] == [BEAT] * 5
        feed.end()
        assert [chunk async for chunk in chunks] in ([], [BEAT])
