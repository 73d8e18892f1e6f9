"""A user who may not come in: what the clients of this contract tell the page."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import HTTPException

from tests.clients.conftest import Serve
from tests.clients.driver import VERSIONS, Clients, chat

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("version", VERSIONS)]


async def unreached(input: Any) -> Any:
    raise AssertionError("the agent ran")
    yield input


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("operation", "variables"),
    [
        ("generateCopilotResponse", chat("agent")),
        ("availableAgents", None),
        ("loadAgentState", {"data": {"threadId": "t1", "agentName": "agent"}}),
    ],
)
def test_the_page_is_told_in_the_words_of_the_application(
    status: int, operation: str, variables: Any, version: str, serve: Serve, clients: Clients
) -> None:
    def refuse() -> str:
        raise HTTPException(status, "Please sign in.")

    url = serve({"agent": unreached}, identify=refuse)
    told = {} if variables is None else {"variables": variables}
    result = clients.ask(operation, url, version=version, **told)
    assert result["threw"]["message"] == "[GraphQL] Please sign in."
    [error] = result["threw"]["errors"]
    assert error["extensions"]["code"] == "AUTHENTICATION_ERROR"
    assert error["extensions"]["statusCode"] == status
