"""Which request headers an agent may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# Platform and proxy headers say nothing to an agent, and CopilotKit's own carry the cloud key (the default
# list of CopilotRuntime 1.75).
_DENIED: Final = frozenset(
    {
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-cache",
        "x-served-by",
        "x-request-id",
    }
)
_DENIED_PREFIXES: Final = (
    "x-amz-",
    "x-azure-",
    "x-fastly-",
    "x-vercel-",
    "x-middleware-",
    "x-copilotcloud-",
    "x-copilotkit-",
)


def forwarded_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the headers that may be passed on to agents: `authorization`, and `x-*` with exceptions.

    Cookies never are. Of a header that came twice, the last counts.
    """
    forwarded: dict[str, str] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name == "authorization" or (
            name.startswith("x-") and name not in _DENIED and not name.startswith(_DENIED_PREFIXES)
        ):
            forwarded[name] = value
    return forwarded
