"""The recorded requests again, through the real client: what the client ends up with, what the agent got."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Serve
from tests.clients.deviations import DEVIATIONS, explains
from tests.clients.driver import Clients
from tests.clients.golden import CORPUS, load, names, observe, recorded, script_of
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.clients

SERVER_PROPERTIES = {"agent_properties_server_and_client"}
"""Recorded with properties that the server adds, which the reference runtime here has none of."""

LISTS = {"availableAgents_none"}
"""Recorded with no agents to list; `availableAgents` has tests of its own."""


@pytest.mark.parametrize("name", sorted({*names("client")} - SERVER_PROPERTIES))
def test_the_reference_runtime_still_answers_as_recorded(
    name: str, clients: Clients, reference: str, reference_agent: ScriptedAgent
) -> None:
    recording = load(CORPUS / "client" / f"{name}.json")
    agent = recording.get("agent", "idle")
    reference_agent.play(agent, script_of(recording))
    reference_agent.calls.clear()
    outcome = observe(recording, clients, reference + agent, reference_agent.calls)
    assert outcome == recorded(recording)


@pytest.mark.parametrize("name", sorted({*names("client")} - LISTS))
def test_the_client_ends_up_as_with_the_reference_runtime_or_better(
    name: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    recording = load(CORPUS / "client" / f"{name}.json")
    agent_name = recording.get("agent", "idle")
    url = serve(
        {agent_name: agent.play(agent_name, script_of(recording))},
        properties=recording.get("server_properties"),
    )
    expected = recorded(recording)
    if "errors" in recording:
        explains(recording["errors"][0])(expected)
    if name in DEVIATIONS:
        for change in DEVIATIONS[name].changes:
            change(expected)
    outcome = observe(recording, clients, url, agent.calls)
    if name == "agent_predict_state":
        # Deltas that arrive together are joined, and predict one state.
        for either in (outcome, expected):
            either.response["messages"] = last_of_adjacent_states(either.response["messages"])
    assert outcome == expected


def last_of_adjacent_states(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    state = "AgentStateMessageOutput"
    return [
        message
        for message, following in zip(messages, [*messages[1:], {}], strict=True)
        if not message["__typename"] == following.get("__typename") == state
    ]
