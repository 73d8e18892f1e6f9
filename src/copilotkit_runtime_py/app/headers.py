"""The policy for request headers that are forwarded to agents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

# Platform and proxy headers mean nothing to an agent, and CopilotKit's own carry the cloud key (the default
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

# These describe one connection or one body. Sent with another body, they would break the request.
_HOP_BY_HOP: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPolicy:
    """The policy for request headers that are forwarded to agents.

    Without `allow`, `authorization` and all `x-*` headers are forwarded, except those of proxies, platforms
    and CopilotKit itself. Headers that the server sets for an agent override those of the client.

    Attributes:
        allow: only these, instead of the above. Cookies are forwarded only if they are named here.
        deny: never these.
        deny_prefixes: never those with one of these prefixes.
    """

    allow: Collection[str] | None = None
    deny: Collection[str] = ()
    deny_prefixes: Collection[str] = ()

    def forwarded(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Returns the headers to forward, with names in lower case.

        If one occurs twice, the first counts: FastAPI's dependencies see that one.
        """
        allow = None if self.allow is None else {name.lower() for name in self.allow}
        deny = {name.lower() for name in self.deny}
        deny_prefixes = tuple(prefix.lower() for prefix in self.deny_prefixes)
        forwarded: dict[str, str] = {}
        for raw_name, value in headers:
            name = raw_name.lower()
            allowed = _by_default(name) if allow is None else name in allow and name not in _HOP_BY_HOP
            if allowed and name not in deny and not name.startswith(deny_prefixes):
                forwarded.setdefault(name, value)
        return forwarded


def _by_default(name: str) -> bool:
    return name == "authorization" or (
        name.startswith("x-") and name not in _DENIED and not name.startswith(_DENIED_PREFIXES)
    )
