"""The GraphQL playground: one page that asks no other host."""

from __future__ import annotations

import base64
import hashlib
import html
from functools import cache, lru_cache
from importlib.resources import files

_SCRIPTS = ("editor.js", "request.js", "schema.js", "playground.js")


@lru_cache(maxsize=16)
def page(endpoint: str) -> bytes:
    """The page for a GET of the endpoint by a browser, as UTF-8 HTML.

    It talks to the address that it was loaded from, so it works behind a proxy that changes the path.

    Args:
        endpoint: the endpoint's path, for the page's title.
    """
    return (
        _asset("index.html")
        .replace("{{policy}}", html.escape(content_security_policy()))
        .replace("{{endpoint}}", html.escape(endpoint))
        .replace("{{style}}", _style())
        .replace("{{script}}", _script())
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


def content_security_policy() -> str:
    """The policy under which the page runs: its own script and style, and requests to its own origin."""
    script, style = _digest(_script()), _digest(_style())
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _script() -> str:
    parts = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


@cache
def _style() -> str:
    return _asset("playground.css")


def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
