"""TanStack AI's client, whose stream is cut: it posts the request again with `Last-Event-ID`."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clients_agui.browser import Client, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.node import HERE
from tests.clients_agui.test_threads import IN_TWO_PARTS
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.clients


def chat(url: str, word: str, environment: dict[str, str], agent: ScriptedAgent) -> dict[str, Any]:
    """What the page did and shows at the end."""
    page = subprocess.Popen(
        ["node", str(HERE / "tanstack_page.mjs"), f"{url}/agent/default/run", word],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    agent.open_gate("go")
    output, _ = page.communicate(timeout=30)
    shown: dict[str, Any] = json.loads(output)
    return shown


@only(Client("agui", "1.0.0", "rest"))
def test_a_stream_that_is_cut_goes_on_and_the_agent_runs_once(
    mount: Mount, visit: Visit, agent: ScriptedAgent, node_environment: dict[str, str]
) -> None:
    url = mount({"default": IN_TWO_PARTS})
    shown = chat(url, "two ", node_environment, agent)
    first, second = shown["requests"]
    assert first["runId"] == second["runId"]
    assert (first["lastEventId"], second["lastEventId"]) == (None, second["lastEventId"])
    assert second["lastEventId"].startswith("1:")
    assert (shown["answers"], shown["text"], shown["status"]) == (1, "one two three four", "ready")
    assert len(agent.calls) == 1
    stored = visit(url).connect(thread="t1")["messages"]
    assert [message["content"] for message in stored] == ["hi", "one two three four"]
