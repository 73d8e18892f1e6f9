"""Where a client may send the server to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import httpcore
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from copilotkit_runtime_py.tools.mcp.public_http import PublicBackend, is_public, public_client
from tests.mcp_server import Counting, served

TIMEOUT = httpx.Timeout(5)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "::127.0.0.1",
        "::8.8.8.8",
        "100::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fd00:ec2::254",
        "ff0e::1",
        "168.63.129.16",
        "192.0.0.8",
        "192.0.0.192",
        "192.0.0.9",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "239.255.255.250",
        "240.0.0.1",
        "::ffff:192.0.0.8",
    ],
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "168.63.129.17",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "3ffe:ffff::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
    ],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.anyio
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"]])
async def test_a_name_that_leads_inside_is_not_connected_to(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(*_: object, **__: object) -> list[object]:
        families = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
        return [
            (families["v6" if ":" in each else "v4"], socket.SOCK_STREAM, 6, "", (each, 80))
            for each in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(httpcore.ConnectError, match="not public"):
        await PublicBackend().connect_tcp("innocent.example", 80)


@pytest.mark.anyio
async def test_the_next_public_address_is_tried_where_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lookup(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("8.8.8.8", "1.1.1.1")]

    async def connect(_: object, host: str, port: int, *__: object) -> httpcore.AsyncNetworkStream:
        if host == "8.8.8.8":
            raise httpcore.ConnectError
        assert (host, port) == ("1.1.1.1", 80)
        return connected

    connected = httpcore.AsyncMockStream([])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    assert await PublicBackend().connect_tcp("innocent.example", 80) is connected


@pytest.mark.anyio
async def test_a_host_name_that_dns_cannot_carry_is_not_connected_to() -> None:
    with pytest.raises(httpcore.ConnectError):
        await PublicBackend().connect_tcp("a" * 64 + ".invalid", 1, 5)


@pytest.fixture
def inside() -> Iterator[tuple[str, Counting]]:
    """A server on a private address, that keeps count of what reaches it."""

    async def large(request: Request) -> Response:
        return PlainTextResponse("x" * 2000)

    async def compressed(request: Request) -> Response:
        return PlainTextResponse("x", headers={"content-encoding": "gzip"})

    async def away(request: Request) -> Response:
        return RedirectResponse("http://127.0.0.1:1/")

    routes = [Route("/large", large), Route("/compressed", compressed), Route("/away", away)]
    app = Counting(Starlette(routes=routes))
    with served(app) as port:
        yield f"http://127.0.0.1:{port}", app


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
async def test_no_spelling_of_an_address_inside_is_reached(host: str, inside: tuple[str, Counting]) -> None:
    url, app = inside
    async with public_client(headers={}, timeout=TIMEOUT, max_response_bytes=1000) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url.replace("127.0.0.1", host))
    assert app.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "kind"), [("/large", httpx.ReadError), ("/compressed", httpx.DecodingError)]
)
async def test_a_response_that_would_fill_the_memory_is_not_read(
    path: str, kind: type[Exception], inside: tuple[str, Counting]
) -> None:
    url, _ = inside
    async with public_client(
        headers={}, timeout=TIMEOUT, max_response_bytes=1000, allow_private=True
    ) as client:
        with pytest.raises(kind):
            await client.get(url + path)


@pytest.mark.anyio
async def test_a_redirect_is_not_followed(inside: tuple[str, Counting]) -> None:
    url, _ = inside
    async with public_client(
        headers={}, timeout=TIMEOUT, max_response_bytes=1000, allow_private=True
    ) as client:
        answer = await client.get(url + "/away")
    assert answer.status_code == 307


@pytest.mark.anyio
async def test_proxies_and_credentials_of_the_environment_are_not_used(
    inside: tuple[str, Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, app = inside
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, url)
    async with public_client(headers={}, timeout=TIMEOUT, max_response_bytes=1000) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
    assert app.requests == []
