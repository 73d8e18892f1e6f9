"""The URL of an agent in another process."""

from __future__ import annotations

from yarl import URL


def checked_address(url: str, *, query: bool = False) -> URL:
    """Returns the URL of an agent or a server.

    Args:
        url: the URL as the operator wrote it.
        query: the URL may have a query.

    Raises:
        ValueError: the URL is not http(s), or holds credentials. The message does not repeat a password.
    """
    shown = "the agent's URL" if "@" in url else f"'{url}'"
    try:
        parsed = URL(url)
    except ValueError:
        raise ValueError(f"{shown} is not a valid URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"{shown} is not an http(s) URL")
    if parsed.user is not None or parsed.password is not None:
        raise ValueError(f"the URL of the agent at {parsed.host} holds credentials: pass them in headers")
    if parsed.raw_query_string and not query:
        raise ValueError(f"the URL of the agent at {parsed.host} has a query: pass such values in headers")
    return parsed
