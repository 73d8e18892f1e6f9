import asyncio
import ssl
from typing import Any

import httpcore
import pytest

from copilotkit_runtime_py.providers.network import AsyncioBackend, AsyncioStream


class Transport(asyncio.Transport):
    """Notes what the stream does with it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def write(self, data: Any) -> None:
        self.calls.append(data)

    def abort(self) -> None:
        self.calls.append("abort")


def connected() -> tuple[AsyncioStream, Transport]:
    stream, transport = AsyncioStream(), Transport()
    stream.connection_made(transport)
    return stream, transport


async def settle() -> None:
    """Lets everything run that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.anyio
async def test_what_arrived_before_a_connection_broke_is_handed_out_first() -> None:
    stream, _ = connected()
    stream.data_received(b"abc")
    stream.connection_lost(ConnectionResetError("reset"))
    assert [await stream.read(2), await stream.read(2)] == [b"ab", b"c"]
    with pytest.raises(httpcore.ReadError, match="reset"):
        await stream.read(2)


@pytest.mark.parametrize("closing", [True, False])
@pytest.mark.anyio
async def test_a_waiting_read_hears_of_the_end(closing: bool) -> None:
    stream, _ = connected()
    reading = asyncio.ensure_future(stream.read(100))
    await settle()
    if closing:
        stream.eof_received()
    stream.connection_lost(None)
    assert await reading == b""


@pytest.mark.anyio
async def test_reading_ahead_is_bounded() -> None:
    stream, transport = connected()
    stream.data_received(b"x" * 200_000)
    assert transport.calls == []
    stream.data_received(b"y" * 200_000)
    stream.data_received(b"z")
    assert transport.calls == ["pause"]
    assert await stream.read(400_000) == b"x" * 200_000 + b"y" * 200_000
    assert transport.calls == ["pause", "resume"]


@pytest.mark.anyio
async def test_silence_counts_from_the_last_read(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, stream = asyncio.get_running_loop(), connected()[0]
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    reading = asyncio.ensure_future(stream.read(100, timeout=10))
    await settle()
    now += 6
    stream.data_received(b"a")
    assert await reading == b"a"
    reading = asyncio.ensure_future(stream.read(100, timeout=10))
    await settle()
    now += 6
    await settle()
    assert not reading.done()
    now += 6
    with pytest.raises(httpcore.ReadTimeout):
        await reading


@pytest.mark.anyio
async def test_a_shorter_bound_than_the_one_before_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, stream = asyncio.get_running_loop(), connected()[0]
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    stream.data_received(b"a")
    reading = asyncio.ensure_future(stream.read(100, timeout=10))
    assert await reading == b"a"
    reading = asyncio.ensure_future(stream.read(100, timeout=10))
    await settle()
    stream.data_received(b"b")
    assert await reading == b"b"
    reading = asyncio.ensure_future(stream.read(100, timeout=1))
    await settle()
    now += 2
    with pytest.raises(httpcore.ReadTimeout):
        await reading


@pytest.mark.anyio
async def test_a_write_waits_until_the_peer_takes_more() -> None:
    stream, transport = connected()
    stream.pause_writing()
    writing = asyncio.ensure_future(stream.write(b"a", timeout=5))
    await settle()
    assert not writing.done()
    stream.resume_writing()
    await writing
    assert transport.calls == [b"a"]


@pytest.mark.anyio
async def test_a_peer_that_takes_nothing_is_given_up() -> None:
    stream, _ = connected()
    stream.pause_writing()
    with pytest.raises(httpcore.WriteTimeout):
        await stream.write(b"a", timeout=0.01)


@pytest.mark.anyio
async def test_writing_to_a_lost_connection_fails() -> None:
    stream, transport = connected()
    stream.pause_writing()
    writing = asyncio.ensure_future(stream.write(b"a"))
    await settle()
    stream.connection_lost(None)
    with pytest.raises(httpcore.WriteError):
        await writing
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"b")
    assert transport.calls == [b"a"]


@pytest.mark.anyio
async def test_a_host_is_reached_at_whichever_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async def two_addresses(host: str, port: int, **options: Any) -> Any:
        if host != "agent.test":
            return await resolve(host, port, **options)
        return [
            address for at in (closed_port, port) for address in await resolve("127.0.0.1", at, **options)
        ]

    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    closed = await asyncio.start_server(greet, "127.0.0.1", 0)
    closed_port = closed.sockets[0].getsockname()[1]
    closed.close()
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        monkeypatch.setattr(loop, "getaddrinfo", two_addresses)
        stream = await AsyncioBackend().connect_tcp("agent.test", server.sockets[0].getsockname()[1], 5)
        assert await stream.read(100, 5) == b"hello"
        await stream.aclose()


@pytest.mark.anyio
async def test_a_host_name_that_no_dns_server_takes_cannot_be_connected_to() -> None:
    with pytest.raises(httpcore.ConnectError):
        await AsyncioBackend().connect_tcp("a" * 64 + ".invalid", 1, 5)


@pytest.mark.anyio
async def test_a_tls_handshake_that_nobody_answers_is_given_up_and_closed() -> None:
    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    left = asyncio.Event()
    async with await asyncio.start_server(stay_silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", port, 5)
        with pytest.raises(httpcore.ConnectTimeout):
            await stream.start_tls(ssl.create_default_context(), "localhost", timeout=0.05)
        async with asyncio.timeout(5):
            await left.wait()
