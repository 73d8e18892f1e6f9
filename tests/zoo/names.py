"""What the animals are called on LangGraph's own server."""

from __future__ import annotations

ELSEWHERE = (
    "checkpointer_in_postgres",
    "checkpointer_in_redis",
    "checkpointer_in_sqlite",
    "made_for_each_run",
)
"""Animals that are no graphs, but functions of the request."""


def graph_name(animal: str, contract: str) -> str:
    """Returns the name of an animal's graph for one contract."""
    return f"{animal}_on_{contract}".replace("-", "_").replace(".", "_")
