"""Refuses requests that a foreign web page has sent to this machine under a name of its own.

A page of `evil.example` may read what its own origin answers. If that name is bound to 127.0.0.1 after the
page was loaded (DNS rebinding), a server on this machine is its own origin: no CORS rule and no content type
stops the page. What it cannot change is the `Host` header, which still says `evil.example`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY_HOST: Final = "*"

# What proxies add to the requests that they pass on.
_FORWARDED: Final = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"}

# A name or an address, and perhaps a port: nothing else that the authority of a URL can have.
_HOST: Final = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f.]*:[0-9a-f:.]*\])(:[0-9]{1,5})?")


class LoopbackHosts:
    """ASGI middleware: what comes in over loopback has to be addressed to loopback.

    Requests that come in by any other address of the machine are let through: whoever serves there has meant
    others to come in.

    Args:
        app: the application.
        allowed: further names, without a port, under which requests may come in over loopback, such as those
            of a proxy on this machine or of a tunnel; `*` stands for any.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self._app = app
        self._allowed = {name.lower() for name in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 421."""
        if scope["type"] not in ("http", "websocket") or self._is_welcome(scope):
            await self._app(scope, receive, send)
            return
        message = "The request is not addressed to this machine. If it should be let in, allow its host name."
        body = {"error": "misdirected_request", "message": message, "errors": [{"message": message}]}
        await JSONResponse(body, 421)(scope, receive, send)

    def _is_welcome(self, scope: Scope) -> bool:
        server = scope.get("server")
        if ANY_HOST in self._allowed or server is None or not is_loopback(server[0]):
            return True
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        matched = _HOST.fullmatch(hosts[0].decode("latin-1").lower())
        if matched is None:
            return False
        name = matched["name"]
        return name in self._allowed or is_loopback(name.removeprefix("[").removesuffix("]"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other: `localhost` or a loopback address, without brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(request: Request) -> bool:
    """Whether a client on this machine has sent a request itself: no proxy says that it passed it on."""
    client, server = request.client, request.scope.get("server")
    if client is None or server is None or not _FORWARDED.isdisjoint(request.headers):
        return False
    return is_loopback(client.host) and is_loopback(server[0])
