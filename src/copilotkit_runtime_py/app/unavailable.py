"""The application that answers while the real one cannot be loaded: 503, with the reason in development."""

from __future__ import annotations

import html
import traceback
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import CopilotKitError
from ..protocols.graphql.http import GraphQLEndpoint
from ..runtime import CopilotRuntime
from . import cors
from .access_log import AccessLog
from .health import LIVENESS
from .hosts import LoopbackHosts
from .settings import Settings

_PACKAGE: Final = str(Path(__file__).parents[1])
_HIDDEN: Final = "The server's code cannot be loaded. The server's log says why."
_RETRY: Final = {"retry-after": "1", "cache-control": "no-store"}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="1">
<title>The agents cannot be loaded</title>
<style>
body {{ margin: 10vh auto; max-width: 52rem; padding: 0 1.5rem; color: #1f2430 }}
body {{ font: 1rem/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.4rem }}
pre {{ overflow-x: auto; padding: 1rem; border-radius: 8px; background: #fdf1f0; color: #8c1d18 }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #14161c; color: #e6e8ee }}
  pre {{ background: #2c1a1a; color: #ffb4ab }}
}}
</style>
<h1>The agents cannot be loaded</h1>
<pre>{problem}</pre>
<p>Correct the file and save it: the server starts again by itself, and this page shows the playground.</p>
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def create_unavailable_app(settings: Settings, error: BaseException) -> FastAPI:
    """Builds the application.

    Args:
        settings: those of the real application: its origins, its hosts, and whether it is for development.
        error: the reason why it cannot be loaded.
    """
    problem = _told(error) if settings.development else _HIDDEN
    app = FastAPI(openapi_url=None)
    cors.add_cors(app, settings.cors or ())
    app.add_middleware(LoopbackHosts, allowed=settings.allowed_hosts)
    app.add_middleware(AccessLog)
    app.mount("/", _Unavailable(str(error) if settings.development else _HIDDEN, problem, settings))
    return app


class _Unavailable:
    """Answers every request in the form that its client can show."""

    def __init__(self, message: str, problem: str, settings: Settings) -> None:
        self._error = CopilotKitError(message)
        self._error.status_code = 503
        self._page = _PAGE.format(problem=html.escape(problem))
        self._graphql = GraphQLEndpoint(CopilotRuntime(agents={}))
        self._allows_local_pages = settings.cors is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        app: ASGIApp = self._answer(Request(scope))
        if self._allows_local_pages and cors.is_local_page(scope):
            app = cors.allow_local_pages(app)
        await app(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.url.path == LIVENESS:
            return JSONResponse({"status": "ok"}, headers=_RETRY)
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(self._page, 503, headers={**_RETRY, "content-security-policy": _POLICY})
        if request.method == "POST" and "multipart/mixed" in request.headers.get("accept", ""):
            return self._graphql.refuse(request, self._error)
        message = self._error.message
        body = {"error": "unavailable", "message": message, "errors": [{"message": message}]}
        return JSONResponse(body, 503, headers=_RETRY)


def _told(error: BaseException) -> str:
    """Returns an error for the author of the code, with its place in their files."""
    cause = error.__cause__ or error
    found = traceback.TracebackException.from_exception(cause)
    frames = [
        frame
        for frame in found.stack
        if not frame.filename.startswith(("<frozen ", _PACKAGE)) and "/site-packages/" not in frame.filename
    ]
    where = "".join(traceback.format_list(frames))
    return f"{error}\n\n{where}{''.join(found.format_exception_only())}".rstrip()
