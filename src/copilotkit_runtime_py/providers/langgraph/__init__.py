"""LangGraph graphs as agents. Needs the `langgraph` extra."""

from .provider import LangGraphProvider

__all__ = ["LangGraphProvider"]
