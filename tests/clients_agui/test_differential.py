"""Random scripts behind both servers: the newest client hears and shows the same, and so does the agent.

After a reload, the page shows what it showed before. Through the reference runtime it does so too, but for
runs that failed and for messages that came at the same time, which that runtime puts in another order.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import NEWEST, Browser, Client, Transport
from tests.clients_agui.conftest import Mount
from tests.clients_agui.scripts import random_scripts
from tests.scripted_agent import Script, ScriptedAgent

pytestmark = pytest.mark.clients

SESSION: dict[str, Any] = {"tools": [{"name": "unused"}], "properties": {"plan": "pro"}}


def talk(
    browser: Browser, client: Client, url: str, thread: str, agent: ScriptedAgent, runs: tuple[Script, ...]
) -> dict[str, Any]:
    """A message for each run: what the page shows after it, all that it hears, what reaches the agent."""
    agent.calls.clear()
    page = browser.open(client, url, **SESSION)
    views = []
    for number, script in enumerate(runs):
        agent.play("default", script)
        views.append(page.send(f"message {number}", id=f"u{number}", thread=thread))
    heard = page.log()["events"]
    page.close()
    inputs = [{name: given for name, given in call.input.items() if name != "runId"} for call in agent.calls]
    return {"views": views, "heard": heard, "inputs": inputs}


@pytest.mark.parametrize("transport", ["rest", "single"])
@pytest.mark.parametrize("seed", range(20))
def test_random_runs_reach_the_client_as_through_the_reference_runtime(
    seed: int,
    transport: Transport,
    mount: Mount,
    agent: ScriptedAgent,
    browser: Browser,
    reference: str,
    reference_agent: ScriptedAgent,
) -> None:
    client, runs, thread = Client("core", NEWEST, transport), random_scripts(seed), f"{transport}-{seed}"
    url = mount({"default": []})
    ours = talk(browser, client, url, thread, agent, runs)
    theirs = talk(browser, client, reference + transport, thread, reference_agent, runs)
    assert ours == theirs
    reloaded = browser.open(client, url)
    assert reloaded.connect(thread=thread) == {**ours["views"][-1], "errors": []}
    reloaded.close()
