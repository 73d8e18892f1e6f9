from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.langgraph_server import LangGraphDev

from . import graphs

MODULE = Path(graphs.__file__).relative_to(Path(__file__).parents[3])
NAMES = [
    *("chat", "questions", "parallel_questions", "tools", "page_tools", "request_seen", "emits", "reasons"),
    *("subgraphs", "subagents", "subagent_asks", "uses", "fails", "loops", "counts"),
]


@pytest.fixture(scope="package")
def server() -> Iterator[LangGraphDev]:
    """A `langgraph dev` that serves the graphs of `graphs.py`. No test may stop it."""
    with LangGraphDev({name: f"{MODULE}:{name}" for name in NAMES}) as running:
        yield running
