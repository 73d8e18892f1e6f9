"""The single-route envelope: `{"method", "params", "body"}`, posted to the endpoint itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from ..responses import invalid_request
from .routes import match_resource

# method -> (the params that it needs, whether it needs a body)
_METHODS: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "info": ((), False),
    "agent/run": (("agentId",), True),
    "agent/connect": (("agentId",), True),
    "agent/suggest": (("agentId",), True),
    "agent/stop": (("agentId", "threadId"), False),
    "transcribe": ((), True),
    "inspector/metadata": ((), False),
    "inspector/learning": ((), False),
}


class Envelope(NamedTuple):
    """The content of an envelope; its body is a JSON value."""

    operation: str
    params: dict[str, str]
    query: dict[str, str]
    body: Any


def read_envelope(envelope: Any, content_type: str) -> Envelope:
    """Reads an envelope.

    Raises:
        HTTPError: the envelope is malformed, or names an unknown operation. The messages are those of
            CopilotRuntime 1.75.
    """
    # Compare the essence alone: any page can send `text/plain; application/json` without a preflight.
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise invalid_request("Single-route endpoint expects JSON payloads", 415)
    method = envelope.get("method") if isinstance(envelope, Mapping) else None
    if not isinstance(method, str) or not method:
        raise invalid_request("Missing method field")
    given = envelope.get("params")
    params = given if isinstance(given, Mapping) else {}
    body = envelope.get("body")
    if method == "resource/request":
        return _resource(params, body)
    if method not in _METHODS:
        raise invalid_request(f"Unsupported method '{method[:80]}'")
    names, needs_body = _METHODS[method]
    known = {name: _param(params, name) for name in names}
    if needs_body and body is None:
        raise invalid_request("Missing request body for JSON handler")
    return Envelope(method, known, {}, body)


def _resource(params: Mapping[str, Any], body: Any) -> Envelope:
    path, _, query = _param(params, "path").partition("?")
    if not path.startswith("/") or path.startswith(("//", "/\\")):
        raise invalid_request("Resource path must be Runtime-relative")
    matched = match_resource(path, _param(params, "httpMethod").upper())
    return Envelope(matched.operation, matched.params, dict(parse_qsl(query)), body)


def _param(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid_request(f"Missing or invalid parameter '{name}'")
    return value
