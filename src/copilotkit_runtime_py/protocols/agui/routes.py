"""The REST paths below the endpoint."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote

from ..responses import HTTPError, not_found


class Match(NamedTuple):
    """The operation of a path and a method, and the names in the path."""

    operation: str
    params: dict[str, str]


_AGENT: Final = "{agentId}"
_THREAD: Final = "{threadId}"

# The paths of CopilotRuntime 1.75 from their last segments on; {} stands for any segment.
_ROUTES: Final[dict[tuple[str, ...], dict[str, str]]] = {
    ("info",): {"GET": "info", "POST": "info"},
    ("agent", _AGENT, "run"): {"POST": "agent/run"},
    ("agent", _AGENT, "connect"): {"POST": "agent/connect"},
    ("agent", _AGENT, "suggest"): {"POST": "agent/suggest"},
    ("agent", _AGENT, "stop", _THREAD): {"POST": "agent/stop"},
    ("transcribe",): {"POST": "transcribe"},
    ("threads",): {"GET": "threads/list"},
    ("threads", "clear"): {"POST": "threads/clear"},
    ("threads", "subscribe"): {"POST": "threads/subscribe"},
    ("threads", _THREAD): {"PATCH": "threads/update", "DELETE": "threads/delete"},
    ("threads", _THREAD, "archive"): {"POST": "threads/archive"},
    ("threads", _THREAD, "messages"): {"GET": "threads/messages"},
    ("threads", _THREAD, "events"): {"GET": "threads/events"},
    ("threads", _THREAD, "state"): {"GET": "threads/state"},
    ("annotate",): {"POST": "annotate"},
    ("inspector-metadata",): {"GET": "inspector/metadata"},
    ("inspector-learning",): {"GET": "inspector/learning"},
    ("cpk-debug-events",): {"GET": "debug/events"},
}
# By the number of segments.
_BY_LENGTH: Final[dict[int, list[tuple[tuple[str, ...], dict[str, str]]]]] = {
    length: [(pattern, verbs) for pattern, verbs in _ROUTES.items() if len(pattern) == length]
    for length in range(max(map(len, _ROUTES)), 0, -1)
}

# The operations that a `resource/request` envelope may name by path.
_RESOURCES: Final = ("threads/", "annotate")


def match(path: str, method: str) -> Match:
    """Returns the operation of a path.

    The last segments decide, so any prefix works. They are percent-decoded one by one; a slash at the end
    or a double one is ignored.

    Args:
        path: the path as it was sent, still encoded, without the query string.
        method: the HTTP method.

    Raises:
        HTTPError: there is no such path, or it does not take the method.
    """
    segments = [unquote(segment) for segment in path.split("/") if segment]
    for length, routes in _BY_LENGTH.items():
        if length > len(segments):
            continue
        methods: dict[str, Match] = {}
        for pattern, operations in routes:
            params = _params(pattern, segments[-length:])
            if params is not None:
                for verb, operation in operations.items():
                    methods.setdefault(verb, Match(operation, params))
        if method in methods:
            return methods[method]
        if methods:
            raise HTTPError(405, {"error": "Method not allowed"}, allow=", ".join(methods))
    raise not_found()


def match_resource(path: str, method: str) -> Match:
    """Returns the operation of the path in a `resource/request` envelope.

    Raises:
        HTTPError: there is no such resource, or it does not take the method.
    """
    matched = match(path, method)
    if not matched.operation.startswith(_RESOURCES):
        raise not_found()
    return matched


def _params(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            params[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return params
