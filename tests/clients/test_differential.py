"""Random scripts behind both servers: the real client ends up with the same."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Serve
from tests.clients.driver import Clients, chat
from tests.clients.golden import Outcome, observe
from tests.clients.scripts import random_script
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.clients


def exchange(clients: Clients, url: str, agent: ScriptedAgent) -> Outcome:
    recording = {"operation": "generateCopilotResponse", "variables": chat("random")}
    return observe(recording, clients, url, agent.calls)


@pytest.mark.parametrize("seed", range(40))
def test_a_random_run_reaches_the_client_as_through_the_reference_runtime(
    seed: int,
    clients: Clients,
    serve: Serve,
    agent: ScriptedAgent,
    reference: str,
    reference_agent: ScriptedAgent,
) -> None:
    script = random_script(seed)
    url = serve({"random": agent.play("random", script)})
    reference_agent.play("random", script)
    reference_agent.calls.clear()
    assert exchange(clients, url, agent) == exchange(clients, reference + "random", reference_agent)
