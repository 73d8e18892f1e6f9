"""The frameworks and the contracts that the tests run with."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from copilotkit_runtime_py import CopilotRuntime
from tests.protocols.agui.served import Served
from tests.providers.crewai.conftest import storage
from tests.providers.parity.contracts import CONTRACTS, Chat
from tests.providers.parity.script import Framework

__all__ = ["storage"]

Open: TypeAlias = Callable[..., Chat]


@pytest.fixture(params=["langgraph", "crewai"])
def framework(request: pytest.FixtureRequest) -> Framework:
    if request.param == "crewai":
        pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)
    module: Any = importlib.import_module(f"tests.providers.parity.on_{request.param}")
    return module  # type: ignore[no-any-return]


@pytest.fixture(params=CONTRACTS)
async def open_chat(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens a chat with one of the given agents; all chats of a test are with the same server."""
    served: list[Served] = []

    def open_chat(agents: Any, agent: str = "agent", thread: str = "t1", **options: Any) -> Chat:
        if not served:
            registered = agents if isinstance(agents, dict) else {"agent": agents}
            served.append(Served(CopilotRuntime(registered)))
        return CONTRACTS[request.param](served[0], agent, thread, **options)

    yield open_chat
    for server in served:
        await server.runtime.aclose()
