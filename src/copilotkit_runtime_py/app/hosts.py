"""Protects servers on this machine from DNS rebinding.

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

from ..logs.records import get_logger

ANY_HOST: Final = "*"

# Headers that proxies add to the requests that they forward, besides `X-Forwarded-…`.
_FORWARDED: Final = {"forwarded", "via", "x-real-ip"}

# A name or an address, with an optional port: no other part of a URL's authority.
_HOST: Final = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f.]*:[0-9a-f:.]*\])(:[0-9]{1,5})?")

# Each refused name is logged once, up to this many.
_LOGGED_NAMES: Final = 20

logger = get_logger(__name__)


class LoopbackHosts:
    """ASGI middleware: requests over loopback have to be addressed to loopback.

    Requests to any other address of the machine pass: the operator has opened the server to others.

    Args:
        app: the application.
        allowed: further names, without a port, under which requests may come in over loopback, such as those
            of a proxy on this machine or of a tunnel; `*` stands for any.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self._app = app
        self._allowed = {name.lower() for name in allowed}
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 421."""
        if scope["type"] not in ("http", "websocket") or self._is_welcome(scope):
            await self._app(scope, receive, send)
            return
        self._log_once(host_name(scope))
        message = "The request is not addressed to this machine. If it should be let in, allow its host name."
        body = {"error": "misdirected_request", "message": message, "errors": [{"message": message}]}
        await JSONResponse(body, 421)(scope, receive, send)

    def _is_welcome(self, scope: Scope) -> bool:
        server = scope.get("server")
        if ANY_HOST in self._allowed or server is None or not is_loopback(server[0]):
            return True
        name = host_name(scope)
        return name is not None and (name in self._allowed or is_loopback(name))

    def _log_once(self, name: str | None) -> None:
        if name is not None and name not in self._logged and len(self._logged) < _LOGGED_NAMES:
            self._logged.add(name)
            logger.warning(
                "Refused a request for the host %s over loopback. To allow it, as behind a proxy or a "
                "tunnel, start with --allowed-host %s.",
                name,
                name,
            )


def host_name(scope: Scope) -> str | None:
    """Returns the host to which a request is addressed: in lower case, without port and brackets.

    It is None unless there is exactly one `Host` header, and that is a name or an address.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    matched = _HOST.fullmatch(hosts[0].decode("latin-1").lower()) if len(hosts) == 1 else None
    return matched["name"].removeprefix("[").removesuffix("]") if matched is not None else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other: `localhost` or a loopback address, without brackets."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 client on a dual-stack socket
    return (mapped or address).is_loopback


def is_local(request: Request) -> bool:
    """Whether a client on this machine seems to have sent a request directly.

    A proxy on this machine adds a header, passes on the `Host` that its client asked for, or speaks HTTP/1.0,
    as nginx does by default. One that does none of that looks like a local client.
    """
    client, server = request.client, request.scope.get("server")
    if client is None or server is None:
        return False
    if any(name in _FORWARDED or name.startswith("x-forwarded-") for name in request.headers):
        return False
    if request.scope["http_version"] == "1.0" or not is_loopback(request.url.hostname or ""):
        return False
    return is_loopback(client.host) and is_loopback(server[0])
