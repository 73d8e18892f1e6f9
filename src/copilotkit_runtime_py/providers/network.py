"""The sockets under httpcore's connection pool, on asyncio's own transports.

httpcore's backend on anyio switches reading on and off and sets a timer around every read. An agent's
stream is thousands of small reads: here one costs half as much CPU.
"""

# ruff: noqa: ASYNC109 - the signatures are httpcore's

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import httpcore
from aiohappyeyeballs import AddrInfoType, start_connection

_HAPPY_EYEBALLS_SECONDS: Final = 0.25  # RFC 8305, section 5
_BUFFER_BYTES: Final = 256 * 1024


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for a pool whose streams are read in the loop that opened them."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of the host that answers.

        A local address and socket options are the pool's to ask for, and the pool here asks for none.

        Raises:
            httpcore.ConnectError: no address takes the connection.
            httpcore.ConnectTimeout: none did within `timeout` seconds.
        """
        loop = asyncio.get_running_loop()
        with _connecting():
            async with asyncio.timeout(timeout):
                addresses = await self.resolve(host, port)
                connected = await start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS)
                try:
                    _, stream = await loop.create_connection(AsyncioStream, sock=connected)
                except BaseException:
                    connected.close()
                    raise
        return stream

    async def resolve(self, host: str, port: int) -> Sequence[AddrInfoType]:
        """Returns the addresses to connect to, and no others.

        Raises:
            OSError: the host has none.
        """
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def sleep(self, seconds: float) -> None:
        """Waits between two attempts to connect."""
        await asyncio.sleep(seconds)


class AsyncioStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """A connection that reads ahead, up to a bound, and hands out what came before it tells of a failure."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._reading_paused = False
        self._ended = False
        self._failure: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._received += data
        if len(self._received) > _BUFFER_BYTES and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> None:
        """Part of `asyncio.Protocol`. The connection closes for writing, too."""
        self._ended = True
        self._wake_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self._ended = True
        self._failure = exc
        self._wake_reader()
        self._writable.set()

    def pause_writing(self) -> None:
        """Part of `asyncio.Protocol`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Part of `asyncio.Protocol`."""
        self._writable.set()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Returns what has arrived, waiting for it if need be. No bytes mean the end.

        Raises:
            httpcore.ReadError: the connection broke.
            httpcore.ReadTimeout: nothing came for `timeout` seconds.
        """
        if not self._received and not self._ended:
            self._reader = self._loop.create_future()
            if timeout is not None:
                self._set_deadline(self._loop.time() + timeout)
            try:
                await self._reader
            finally:
                self._reader = None
        if self._received:
            data = bytes(memoryview(self._received)[:max_bytes])
            del self._received[:max_bytes]
            if self._reading_paused:
                self._reading_paused = False
                self._transport.resume_reading()
            return data
        if self._failure is not None:
            raise httpcore.ReadError(str(self._failure)) from self._failure
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends bytes, and waits while the peer takes no more.

        Raises:
            httpcore.WriteError: the connection is closed.
            httpcore.WriteTimeout: the peer took nothing for `timeout` seconds.
        """
        if buffer and not self._ended:
            self._transport.write(buffer)
            try:
                async with asyncio.timeout(timeout):
                    await self._writable.wait()
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
        if self._ended:
            raise httpcore.WriteError("the connection is closed")

    async def aclose(self) -> None:
        """Closes the connection at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Encrypts the connection.

        Raises:
            httpcore.ConnectError: the handshake failed, or the certificate is not to be trusted.
            httpcore.ConnectTimeout: the handshake took more than `timeout` seconds.
        """
        try:
            with _connecting():
                async with asyncio.timeout(timeout):
                    transport = await self._loop.start_tls(
                        self._transport, self, ssl_context, server_hostname=server_hostname
                    )
            if transport is None:
                raise httpcore.ConnectError("the connection was closed in the TLS handshake")
        except BaseException:
            self._transport.abort()
            raise
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """Whether an idle connection `is_readable`, so closed by the peer, or what the transport knows."""
        if info == "is_readable":
            return self._ended or bool(self._received)
        return self._transport.get_extra_info(info)

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _set_deadline(self, deadline: float) -> None:
        """Bounds the present wait. The timer stays for the next reads, which only move the deadline."""
        self._deadline = deadline
        if self._timer is None or self._timer.when() > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        if self._reader is None or self._reader.done():
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)
        else:
            self._reader.set_exception(httpcore.ReadTimeout())


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except (OSError, UnicodeError) as error:  # a host name that DNS cannot carry is a UnicodeError
        raise httpcore.ConnectError(str(error)) from error
