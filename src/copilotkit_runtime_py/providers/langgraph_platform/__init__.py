"""Graphs on a server of LangGraph's API: LangGraph Platform, `langgraph dev`, Aegra.

`LangGraphPlatform` needs the `langgraph-platform` extra, and is imported on first use: `address` and
`recognition` need nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .provider import LangGraphPlatform

__all__ = ["LangGraphPlatform"]


def __getattr__(name: str) -> Any:
    if name == "LangGraphPlatform":
        from .provider import LangGraphPlatform

        return LangGraphPlatform
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
