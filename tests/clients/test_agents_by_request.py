"""Two users with agents of their own, and the real client of the GraphQL contract."""

from __future__ import annotations

import json

import pytest

from copilotkit_runtime_py import CopilotRuntime
from tests.clients.conftest import LiveServer
from tests.clients.driver import VERSIONS, Clients, chat
from tests.test_agents_by_request import saying
from tests.test_agents_by_request import user as identify

pytestmark = pytest.mark.clients

TEAMS = {
    "ann": {"sales": saying("I sell."), "shared": saying("Ann's.")},
    "bob": {"support": saying("I help."), "shared": saying("Bob's.")},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_user_sees_their_own_agents_and_threads(
    live_server: LiveServer, clients: Clients, version: str
) -> None:
    runtime = CopilotRuntime(
        lambda context: TEAMS[context.owner], agents_cache_key=lambda context: context.owner
    )
    url = live_server.serve(runtime, identify=identify)
    for owner, own, words in (("ann", "sales", "Ann's."), ("bob", "support", "Bob's.")):
        headers = {"x-user": owner}
        listed = clients.ask("availableAgents", url, version=version, headers=headers)
        agents = listed["data"]["availableAgents"]["agents"]
        assert [agent["name"] for agent in agents] == [own, "shared"]
        variables = chat("shared", thread=f"of-{owner}")
        result = clients.ask(
            "generateCopilotResponse", url, version=version, headers=headers, variables=variables
        )
        assert [message["content"] for message in result["messages"]] == [words]
    for owner, shown in (("ann", ["Hi", "Ann's."]), ("bob", [])):
        variables = {"data": {"threadId": "of-ann", "agentName": "shared"}}
        loaded = clients.ask(
            "loadAgentState", url, version=version, headers={"x-user": owner}, variables=variables
        )
        messages = json.loads(loaded["data"]["loadAgentState"]["messages"])
        assert [message["content"] for message in messages] == shown
