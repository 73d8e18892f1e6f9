"""Backend actions and the real clients of the AG-UI contract."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py import AgentTool
from tests.clients_agui.browser import CORE_CLIENTS, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import tool_call
from tests.clients_agui.view import assistant, calls, result, shown, user
from tests.scripted_agent import ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def calculator(run_input: dict[str, Any]) -> list[Step]:
    """Calls the server's tool and, if there is one, the frontend's, and then says what came of them."""
    results = [message["content"] for message in run_input["messages"] if message["role"] == "tool"]
    if results:
        return run(*text("m1", ", ".join(sorted(results))))
    steps = tool_call("c1", "add", '{"a":2,', '"b":40}', parent="m0")
    if any(tool["name"] == "setTheme" for tool in run_input["tools"]):
        steps += tool_call("c2", "setTheme", "{}", parent="m0")
    return run(*steps)


def test_an_agent_goes_on_with_the_result_of_an_action_in_the_same_run(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": calculator}, actions=[add])
    expected = shown(
        user("2 + 40?"),
        calls("m0", ("c1", "add", '{"a":2,"b":40}')),
        result("42", "c1", "result-c1"),
        assistant("42"),
    )
    page = visit(url)
    assert page.send("2 + 40?", thread="t1") == expected
    assert page.log()["events"].count("RUN_FINISHED") == 1
    assert len(agent.calls) == 2
    assert visit(url).connect(thread="t1") == expected


@only(*CORE_CLIENTS)
def test_the_frontend_runs_its_own_tool_and_not_the_servers(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": calculator}, actions=[add])
    mine = [{"name": name, "result": "mine"} for name in ("setTheme", "add")]
    page = visit(url, tools=mine)
    view = page.send("2 + 40?", thread="t1")
    assert view["messages"][-1] == assistant("42, mine")
    assert [call["name"] for call in page.log()["toolCalls"]] == ["setTheme"]
    assert len(agent.calls) == 2
    assert [tool["name"] for tool in agent.calls[0].input["tools"]] == ["add", "setTheme"]


def test_an_agent_hands_over_to_another_in_the_same_run(mount: Mount, visit: Visit) -> None:
    asks = run(*tool_call("c1", "researcher", parent="m0"))
    scripts = {"default": asks, "researcher": run(*text("m1", "Found it."))}
    url = mount(scripts, actions=[AgentTool(name="researcher")])
    expected = shown(
        user("Look it up"),
        calls("m0", ("c1", "researcher", "")),
        result("researcher agent started", "c1", "result-c1"),
        assistant("Found it."),
    )
    assert visit(url).send("Look it up", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected
