"""A message that guardrails deny: what the page shows, and that it goes on with the next one."""

from __future__ import annotations

import re

import pytest

from copilotkit_runtime_py.guardrails import Guardrails, RuleValidator
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.view import assistant, error, shown, user
from tests.scripted_agent import ScriptedAgent, run, text

pytestmark = pytest.mark.clients


def test_a_denial_is_told_in_words_and_the_agent_never_hears_of_it(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    guardrails = Guardrails(RuleValidator(deny=[re.compile("cars")], reason="Let us not talk about cars."))
    page = visit(mount({"default": run(*text("m1", "hello"))}, guardrails=guardrails))
    denied = page.send("fast cars", thread="t1")
    assert denied == shown(user("fast cars"), errors=[error("Let us not talk about cars.")])
    view = page.send("cats", id="u2", thread="t1")
    assert view["messages"] == [user("fast cars"), user("cats", "u2"), assistant("hello", "m1")]
    [call] = agent.calls
    assert [message["content"] for message in call.input["messages"]] == ["cats"]
