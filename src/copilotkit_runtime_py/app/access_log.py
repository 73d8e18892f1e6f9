"""The access log of the command line's servers: one record for each response."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..logs.records import get_logger
from .health import LIVENESS, READINESS

logger = get_logger("copilotkit_runtime_py.access")

# Orchestrators request these every few seconds.
_PROBES: Final = (LIVENESS, READINESS)


class AccessLog:
    """ASGI middleware that logs each request when its response is complete.

    The record's `http` attribute holds method, path, status, duration in milliseconds and client; the path is
    logged without its query string, which may hold credentials. Probes are logged if they fail.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on and logs its answer."""
        if scope["type"] != "http" or not logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        time = asyncio.get_running_loop().time
        began, status, request_id = time(), 0, None

        async def watch(message: Message) -> None:
            nonlocal status, request_id
            if message["type"] == "http.response.start":
                status = message["status"]
                request_id = dict(message.get("headers", ())).get(b"x-request-id")
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if scope["path"] not in _PROBES or status >= 500:
                known = request_id.decode("latin-1") if request_id else None
                _log(scope, status, time() - began, known)


def _log(scope: Scope, status: int, seconds: float, request_id: str | None) -> None:
    client = scope.get("client")
    fields: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "durationMs": round(1000 * seconds, 1),
    }
    if client:
        fields["client"] = f"{client[0]}:{client[1]}"
    if request_id:
        fields["requestId"] = request_id
    logger.info(
        '%s "%s %s" %d %.1f ms',
        fields.get("client", "-"),
        fields["method"],
        fields["path"],
        status,
        fields["durationMs"],
        extra={"http": fields},
    )
