"""HTTP to hosts that a client names: no request leaves for a private address.

A host name from a client can resolve to anything: a cloud's metadata service, a database nearby, the server
itself. If the name were checked first and connected to later, its address could change in between. So the
addresses are checked as part of connecting, on every connection, and only a checked address is connected to.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpcore
import httpx

_MAX_CONNECTIONS: Final = 10

# IANA's special-purpose registries and RFC 6890, not `is_global`, which differs between versions of Python.
_PRIVATE_IPV4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host services, which look public and are not
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments, and Oracle's metadata service
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)

# IANA assigns global unicast addresses from this block only.
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
_PRIVATE_IPV6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "3fff::/20",  # documentation
        ),
    )
)

# Networks with addresses that lead to an IPv4 address, and the number of bits that follow it.
_EMBEDDED_IPV4: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)


def public_client(
    *,
    headers: Mapping[str, str],
    timeout: httpx.Timeout,
    max_response_bytes: int,
    allow_private: bool = False,
) -> httpx.AsyncClient:
    """Returns a client that connects to public addresses only.

    It follows no redirects, shares no cookies, and reads no proxies or credentials from the environment.

    Args:
        headers: sent with every request.
        timeout: the limits for each step of a request.
        max_response_bytes: the maximum size of a response body.
        allow_private: private addresses are allowed, too.
    """
    backend = httpcore.AnyIOBackend() if allow_private else PublicBackend()
    return httpx.AsyncClient(
        transport=_Transport(backend, max_response_bytes),
        headers={**headers, "accept-encoding": "identity"},
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


class PublicBackend(httpcore.AnyIOBackend):
    """Connects to hosts that have only public addresses."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of the host that answers.

        Raises:
            httpcore.ConnectError: the host is unknown, has an address that is not public, or does not answer.
            httpcore.ConnectTimeout: it took longer than `timeout` seconds to look up the host, or to connect.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await _resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"cannot look up {host} in time") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: DNS cannot carry the name
            raise httpcore.ConnectError(str(error)) from error
        if not all(map(is_public, addresses)):
            raise httpcore.ConnectError(f"{host} has an address that is not public")
        *others, last = addresses
        for address in others:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await super().connect_tcp(last, port, timeout, local_address, socket_options)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet. An IPv4 address within an IPv6 one decides."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        for network, bits in _EMBEDDED_IPV4:
            if ip in network:
                ip = IPv4Address(int(ip) >> bits & 0xFFFFFFFF)
                break
        else:
            return ip in _GLOBAL_IPV6 and not any(ip in network for network in _PRIVATE_IPV6)
    return not any(ip in network for network in _PRIVATE_IPV4)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport, with a pool that connects through a backend of ours."""

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
            # Compression was not requested, and a small response can expand to a huge one.
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
    """Loading the certificates takes long."""
    return httpx.create_ssl_context(trust_env=False)
