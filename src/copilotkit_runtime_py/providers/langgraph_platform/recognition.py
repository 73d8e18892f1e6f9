"""Recognises a LangGraph server behind a URL, to say which target to use instead of the URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from .address import graph_address

_PLACEHOLDER: Final = "GRAPH"


@dataclass(frozen=True, slots=True)
class LangGraphServer:
    """A server of LangGraph's API.

    Attributes:
        url: its base URL.
        graphs: the graphs that it serves; empty where it does not tell without credentials.
    """

    url: str
    graphs: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """What to register for each graph."""
        return tuple(graph_address(self.url, graph) for graph in self.graphs or (_PLACEHOLDER,))

    @property
    def advice(self) -> str:
        """One sentence for the operator."""
        return f"{self.url} is a LangGraph server: register its graphs as {', '.join(self.targets)}."


async def find_langgraph_server(
    url: str, headers: Mapping[str, str] | None = None, *, seconds: float = 5.0
) -> LangGraphServer | None:
    """Returns the LangGraph server at a URL or at the root of its host, or None if there is none.

    Args:
        url: an http(s) URL.
        headers: sent along, such as an API key.
        seconds: how long to wait for an answer.
    """
    async with httpx.AsyncClient(headers=headers, timeout=seconds, trust_env=False) as client:
        for base in _candidates(url):
            if _is_info(await _json(client, "GET", f"{base}/info")):
                found = await _json(client, "POST", f"{base}/assistants/search", {"limit": 100})
                assistants = found if isinstance(found, list) else []
                named = {each.get("graph_id") for each in assistants if isinstance(each, dict)}
                graphs = sorted(graph for graph in named if isinstance(graph, str))
                return LangGraphServer(base, tuple(graphs))
    return None


def _candidates(url: str) -> Iterator[str]:
    whole = httpx.URL(url).copy_with(query=None, fragment=None, userinfo=b"")
    root = str(whole.copy_with(path="/")).rstrip("/")
    path = str(whole).rstrip("/")
    yield from dict.fromkeys((path, root))


def _is_info(body: Any) -> bool:
    """Whether this is what a LangGraph server answers at `/info` (langgraph-api 0.4 and 0.16, Aegra)."""
    if not isinstance(body, dict):
        return False
    flags = body.get("flags")
    of_flags = isinstance(flags, dict) and "assistants" in flags
    return of_flags or any(str(name).startswith("langgraph") for name in body)


async def _json(client: httpx.AsyncClient, method: str, url: str, body: Any = None) -> Any:
    try:
        response = await client.request(method, url, json=body)
        return response.json() if response.is_success else None
    except (httpx.HTTPError, ValueError):
        return None
