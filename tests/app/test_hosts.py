"""What comes in over loopback has to be addressed to this machine."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message

from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.app.hosts import LoopbackHosts, is_local
from copilotkit_runtime_py.app.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio


async def status(app: Any, *hosts: str, server: tuple[str, int | None] | None = ("127.0.0.1", 8000)) -> int:
    """The status of the answer to a GET with these Host headers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/copilotkit/info",
        "raw_path": b"/api/copilotkit/info",
        "query_string": b"",
        "headers": [(b"host", host.encode("latin-1")) for host in hosts],
        "client": ("127.0.0.1", 50_000),
        "server": server,
        "root_path": "",
        "scheme": "http",
    }
    await app(scope, receive, send)
    answered: int = sent[0]["status"]
    return answered


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:3000", "LocalHost:8000", "127.0.0.1", "127.0.0.1:8000", "127.1.2.3:80",
        "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]:65535",
    ],
)  # fmt: skip
async def test_what_is_addressed_to_this_machine_comes_in(host: str) -> None:
    for server in ("127.0.0.1", "::1", "127.0.0.53", "localhost"):
        assert await status(LoopbackHosts(PlainTextResponse("in")), host, server=(server, 8000)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "", " ", "evil.example", "evil.example:8000", "evil@127.0.0.1", "127.0.0.1@evil.example",
        "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost.example", "localhost.",
        "127.0.0.1.", "127.0.0.1:8000@evil.example", "127.0.0.1:", "127.0.0.1:a", "127.0.0.1:123456",
        "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0.0.0.0", "[::]", "::1", "[::1", "[::1]evil",
        "[::1].evil.example", "[127.0.0.1]", "localhost/", "localhost#", "localhost?", "localhost\\evil",
        "local host", "localhost,evil.example", "localhost\n", "localhost\x00", "localhost\xa0",
        "192.168.1.5", "*",
    ],
)  # fmt: skip
async def test_what_is_addressed_elsewhere_is_refused(host: str) -> None:
    assert await status(LoopbackHosts(PlainTextResponse("in")), host) == 421


async def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    app = LoopbackHosts(PlainTextResponse("in"))
    assert await status(app) == 421
    assert await status(app, "localhost", "localhost") == 421
    assert await status(app, "localhost", "evil.example") == 421


async def test_what_comes_in_by_another_address_is_not_checked() -> None:
    app = LoopbackHosts(PlainTextResponse("in"))
    for server in (("192.168.1.5", 80), ("2001:db8::1", 443), ("/run/app.sock", None), None):
        assert await status(app, "app.example.com", server=server) == 200


async def test_names_of_a_proxy_are_allowed_whole_and_without_their_port() -> None:
    app = LoopbackHosts(PlainTextResponse("in"), allowed=["App.example.com"])
    assert await status(app, "app.example.com:8443") == 200
    assert await status(app, "localhost") == 200
    assert await status(app, "evil.app.example.com") == 421
    assert await status(app, "app.example.com.evil.example") == 421
    assert await status(LoopbackHosts(PlainTextResponse("in"), allowed=["*"]), "any.example") == 200


async def test_the_served_app_checks_before_it_routes_or_answers_a_preflight() -> None:
    app = create_app(Settings(agents={"remote": "http://127.0.0.1:1/"}, cors=("*",)))
    assert await status(app, "127.0.0.1:8000") == 200
    assert await status(app, "rebound.example:8000") == 421
    open_app = create_app(
        Settings(agents={"remote": "http://127.0.0.1:1/"}, allowed_hosts=("tunnel.example",))
    )
    assert await status(open_app, "tunnel.example") == 200


@pytest.mark.parametrize(
    "name", ["", "https://app.example.com", "app.example.com:80", "a b", "*.example.com"]
)
def test_what_is_no_host_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="is not a host name"):
        Settings(allowed_hosts=(name,))


@pytest.mark.parametrize(
    ("changes", "local"),
    [
        ({}, True),
        ({"headers": [(b"host", b"[::1]:8000")], "client": ("::1", 5), "server": ("::1", 8000)}, True),
        ({"http_version": "1.0"}, False),  # nginx with `proxy_pass` alone
        ({"headers": [(b"host", b"app.example.com")]}, False),  # HAProxy
        ({"headers": [(b"host", b"localhost"), (b"x-forwarded-for", b"203.0.113.7")]}, False),  # Caddy
        ({"client": ("203.0.113.7", 5)}, False),
        ({"client": None}, False),
    ],
)
def test_a_request_is_local_unless_it_shows_signs_of_a_proxy(changes: dict[str, Any], local: bool) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost:8000")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        **changes,
    }
    assert is_local(Request(scope)) is local
