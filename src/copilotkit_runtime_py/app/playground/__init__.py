"""The playground: a page to try agents with, which loads nothing from other hosts.

The page works behind a proxy that changes its path: it requests everything relative to the address that it
was loaded from, which the server does not know.

`static/` holds the page. The build adds the libraries that it uses, in `static/vendor/` (`hatch_build.py`).
GraphiQL is a page of its own, which the first one shows in a frame.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.responses import Response

_FOLDER: Final = "playground"
_START: Final = "start.js"
_STYLES: Final = ("base.css", "chat.css", "markdown.css", "inspector.css")
_GRAPHIQL: Final = "graphiql.html"
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
# The editor in GraphiQL writes style elements. Nothing that it could load is on another host.
_GRAPHIQL_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@lru_cache(maxsize=16)
def page(endpoint: str) -> bytes:
    """The page for a GET of the endpoint by a browser, as UTF-8 HTML.

    Args:
        endpoint: the endpoint's path, for the page's title.
    """
    return (
        _text("index.html")
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


def asset(path: str) -> Response | None:
    """Returns a file of the page for its path below the endpoint, or None for any other path.

    The path contains a digest of all files, so browsers cache each file and never mix two versions.
    """
    folder, _, rest = path.partition("/")
    digest, _, name = rest.partition("/")
    if folder != _FOLDER or digest != _version() or name not in _assets():
        return None
    headers = {
        "cache-control": "private, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
    }
    if name == _GRAPHIQL:
        headers |= {"content-security-policy": _GRAPHIQL_POLICY, "referrer-policy": "no-referrer"}
    media_type = _MEDIA_TYPES["." + name.rpartition(".")[2]]
    return Response(_assets()[name], media_type=media_type, headers=headers)


def content_security_policy() -> str:
    """The policy under which the page runs: its own scripts and style, and requests to its own origin.

    Only the sanitizer may turn a string into markup, and nothing may turn one into code.
    """
    start, style = _digest(_start()), _digest(_style())
    return (
        f"default-src 'none'; script-src 'self' '{start}'; style-src '{style}'; "
        "connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types dompurify"
    )


@cache
def _assets() -> Mapping[str, bytes]:
    """The files that the page loads, by their paths."""
    inlined = {"index.html", _START, *_STYLES}
    return {
        name: file.read_bytes()
        for name, file in sorted(_walk(files(__name__).joinpath("static")))
        if name not in inlined and "." + name.rpartition(".")[2] in _MEDIA_TYPES
    }


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry


@cache
def _version() -> str:
    return hashlib.sha256(b"\0".join(_assets().values())).hexdigest()[:16]


@cache
def _start() -> str:
    """The inline script of the page, which finds the modules relative to the page."""
    return _text(_START).replace("{{modules}}", f"{_FOLDER}/{_version()}")


@cache
def _style() -> str:
    return "".join(_text(name) for name in _STYLES)


def _text(name: str) -> str:
    return files(__name__).joinpath("static", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
