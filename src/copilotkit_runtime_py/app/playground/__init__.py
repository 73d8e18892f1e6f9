"""The playground: a page to try agents with, which asks no other host.

The page works behind a proxy that changes its path: it asks for everything below the address that it was
loaded from, and the server is not told what that is.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from starlette.responses import Response

_FOLDER: Final = "playground"
_START: Final = "start.js"
_STYLES: Final = ("base.css", "chat.css", "inspector.css", "graphql.css")


@lru_cache(maxsize=16)
def page(endpoint: str) -> bytes:
    """The page for a GET of the endpoint by a browser, as UTF-8 HTML.

    Args:
        endpoint: the endpoint's path, for the page's title.
    """
    return (
        _asset("index.html")
        .replace("{{policy}}", html.escape(content_security_policy()))
        .replace("{{endpoint}}", html.escape(endpoint))
        .replace("{{style}}", _style())
        .replace("{{start}}", _start())
        .encode()
    )


@cache
def headers() -> dict[str, str]:
    """The response headers of the page."""
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"{content_security_policy()}; frame-ancestors 'none'",
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
        "vary": "accept",
        "x-content-type-options": "nosniff",
    }


def script(path: str) -> Response | None:
    """Returns a module of the page for its path below the endpoint, or None for any other path.

    The path has a digest of all modules in it, so browsers need not ask twice, and never mix two versions.
    """
    folder, _, rest = path.partition("/")
    digest, _, name = rest.partition("/")
    if folder != _FOLDER or digest != _version() or name not in _scripts():
        return None
    return Response(
        _scripts()[name],
        media_type="text/javascript",
        headers={
            "cache-control": "private, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
        },
    )


def content_security_policy() -> str:
    """The policy under which the page runs: its own scripts and style, and requests to its own origin.

    No script may turn a text into markup or code.
    """
    start, style = _digest(_start()), _digest(_style())
    return (
        f"default-src 'none'; script-src 'self' '{start}'; style-src '{style}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


@cache
def _scripts() -> Mapping[str, bytes]:
    found = files(__name__).joinpath("static").iterdir()
    return {
        file.name: file.read_bytes()
        for file in sorted(found, key=str)
        if file.name.endswith(".js") and file.name != _START
    }


@cache
def _version() -> str:
    return hashlib.sha256(b"\0".join(_scripts().values())).hexdigest()[:16]


@cache
def _start() -> str:
    """The script in the page itself: it knows where the page is, and finds the modules from there."""
    return _asset(_START).replace("{{modules}}", f"{_FOLDER}/{_version()}")


@cache
def _style() -> str:
    return "".join(_asset(name) for name in _STYLES)


def _asset(name: str) -> str:
    return files(__name__).joinpath("static", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
