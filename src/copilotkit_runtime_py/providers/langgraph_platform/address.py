"""The address of a graph on a LangGraph server, as a command line gives it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

_PREFIX: Final = "langgraph+"


def is_graph_address(target: str) -> bool:
    """Whether a target has the form of `graph_address`."""
    return target.startswith((f"{_PREFIX}http://", f"{_PREFIX}https://"))


def graph_address(url: str, graph: str) -> str:
    """Returns the target for a graph: `langgraph+https://host/graph`."""
    return f"{_PREFIX}{url.rstrip('/')}/{quote(graph, safe='')}"


def parse_graph_address(target: str) -> tuple[str, str]:
    """Returns the URL of the server and the name of the graph, which is the last segment of the path.

    Raises:
        ValueError: the target has another form.
    """
    url = urlsplit(target.removeprefix(_PREFIX))
    path, _, graph = url.path.rstrip("/").rpartition("/")
    if not is_graph_address(target) or not graph or not url.hostname or url.query or url.fragment:
        raise ValueError("write langgraph+https://host/graph, with the name of the graph last")
    return url._replace(path=path).geturl(), unquote(graph)
