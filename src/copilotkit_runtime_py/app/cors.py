"""CORS: decides which pages of other origins may call the endpoint.

Without any setting, a page that was loaded from this machine may call a server on this machine: the
development servers of Vite, Next.js and others are origins of their own, on any port.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from ..logs.records import get_logger
from .hosts import host_name, is_local, is_loopback
from .settings import ANY_ORIGIN, LOCALHOST

VERSION_HEADER: Final = "x-copilotkit-runtime-version"

# The origin that a browser sends for a page that it loaded from this machine.
_LOCAL_ORIGIN: Final = r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?"
_LOCAL: Final = re.compile(_LOCAL_ORIGIN)
# Each refused origin is logged once, up to this many.
_LOGGED_ORIGINS: Final = 20

logger = get_logger(__name__)


class RefusedOrigins:
    """Logs the first refused preflight of each origin, with the setting that would allow it."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def log(self, origin: str) -> None:
        """Logs a refusal, unless this origin was logged before."""
        if origin in self._logged or len(self._logged) >= _LOGGED_ORIGINS:
            return
        self._logged.add(origin)
        if re.fullmatch(r"[a-z][a-z0-9+.-]*://[!-~]{1,253}", origin) is None:
            logger.warning(
                "Refused a page that has no origin of its own, such as a file or a sandboxed frame (CORS). "
                "Serve the page over HTTP."
            )
            return
        logger.warning(
            "Refused a page of %s (CORS). To allow it, start with --cors %s; in an app of your own, add "
            "CORSMiddleware with allow_origins=['%s'].",
            origin,
            origin,
            origin,
        )


def is_preflight(headers: Headers) -> bool:
    """Whether an OPTIONS request is a browser's preflight for a page of another origin."""
    return "origin" in headers and "access-control-request-method" in headers


def is_local_page(scope: Scope) -> bool:
    """Whether a page of this machine has sent a request to this machine directly.

    The page's origin, the address that it asked for, and both ends of the connection are loopback, and no
    proxy has passed the request on. If the application has CORS middleware, it decides instead.
    """
    request = Request(scope)
    origins = request.headers.getlist("origin")
    return (
        len(origins) == 1
        and _LOCAL.fullmatch(origins[0]) is not None
        and is_local(request)
        and is_loopback(host_name(scope) or "")
        and not _has_cors(scope.get("app"))
    )


def allow_local_pages(app: ASGIApp) -> ASGIApp:
    """Lets pages of this machine call an application, without credentials."""
    return CORSMiddleware(
        app,
        allow_origin_regex=_LOCAL_ORIGIN,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[VERSION_HEADER],
    )


def add_cors(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Lets pages of other origins call the app; see `Settings.cors`.

    Credentials (cookies, TLS certificates) are allowed only for origins that are named one by one.
    """
    if not origins:
        return
    app.add_middleware(
        _LoggingCORS,
        allow_origins=() if origins == (LOCALHOST,) else origins,
        allow_origin_regex=_LOCAL_ORIGIN if origins == (LOCALHOST,) else None,
        allow_credentials=origins not in ((ANY_ORIGIN,), (LOCALHOST,)),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[VERSION_HEADER],
    )


class _LoggingCORS(CORSMiddleware):
    """CORS middleware that logs refused preflights."""

    @cached_property
    def _refused(self) -> RefusedOrigins:
        return RefusedOrigins()

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answers a preflight."""
        if not self.is_allowed_origin(request_headers["origin"]):
            self._refused.log(request_headers["origin"])
        return super().preflight_response(request_headers)


def _has_cors(app: Any) -> bool:
    """Whether an application has CORS middleware: Starlette's, a subclass, or another one of such a name."""
    classes = (middleware.cls for middleware in getattr(app, "user_middleware", ()))
    return any(
        "cors" in getattr(base, "__name__", "").lower()
        for each in classes
        for base in getattr(each, "__mro__", (each,))
    )
