"""HTTP to hosts that a client names: no request leaves for an address inside.

A name that a client gives may lead anywhere: to the metadata service of a cloud, to a database next door, to
the server itself. Looking the name up first and connecting then leaves a gap in which it changes its address.
So the addresses are checked where they are connected to, for every connection, and no other is used.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import httpcore
import httpx
from aiohappyeyeballs import AddrInfoType

from ...providers.network import AsyncioBackend

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_MAX_CONNECTIONS: Final = 10


def public_client(
    *,
    headers: Mapping[str, str],
    timeout: httpx.Timeout,
    max_response_bytes: int,
    allow_private: bool = False,
) -> httpx.AsyncClient:
    """Returns a client that connects to public addresses only.

    It follows no redirect, keeps no cookie of another client, and takes neither proxies nor credentials from
    the environment.

    Args:
        headers: sent with every request.
        timeout: the bounds of each step of a request.
        max_response_bytes: the most bytes that the body of a response may have.
        allow_private: private addresses are connected to, too.
    """
    return httpx.AsyncClient(
        transport=_Transport(AsyncioBackend() if allow_private else PublicBackend(), max_response_bytes),
        headers={**headers, "accept-encoding": "identity"},
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


class PublicBackend(AsyncioBackend):
    """Connects to hosts all of whose addresses are public."""

    async def resolve(self, host: str, port: int) -> Sequence[AddrInfoType]:
        """Returns the host's addresses.

        Raises:
            OSError: the host has none, or one that is not public.
        """
        addresses = await super().resolve(host, port)
        if not all(is_public(str(address[4][0])) for address in addresses):
            raise OSError(f"{host} has an address that is not public")
        return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it is wrapped in an IPv6 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over a pool that connects by a backend of ours."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, max_response_bytes: int) -> None:
        super().__init__(verify=_ssl_context(), trust_env=False)
        # httpx has no argument for it.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=_MAX_CONNECTIONS,
            network_backend=backend,
        )
        self._max_response_bytes = max_response_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if "content-encoding" in response.headers:
            # Nothing was asked to be compressed, and a little of it can become a lot.
            await response.aclose()
            raise httpx.DecodingError("the response is compressed", request=request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        response.stream = _Bounded(stream, self._max_response_bytes)
        return response


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._limit:
                raise httpx.ReadError(f"the response has more than {self._limit} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """The certificates take long to load."""
    return httpx.create_ssl_context(trust_env=False)
