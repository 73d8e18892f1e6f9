"""Suggestions of what the user could say next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients_agui.browser import CORE_CLIENTS, NEWEST_CLIENTS, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import tool_call
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

WANTED = {"instructions": "Be brief.", "minSuggestions": 1, "maxSuggestions": 2, "available": "always"}
TOLD = [{"title": "Hi", "message": "Say hi"}, {"title": "Bye", "message": "Say bye"}]


def suggest(run_input: dict[str, Any]) -> list[Step]:
    if [tool["name"] for tool in run_input["tools"]] == ["copilotkitSuggest"]:
        return run(*tool_call("s1", "copilotkitSuggest", json.dumps({"suggestions": TOLD})))
    return run(*text("m1", "hello"))


@only(*CORE_CLIENTS)
def test_suggestions_come_and_leave_no_thread_behind(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": suggest})
    page = visit(url, suggestions=WANTED)
    before = page.send("hi", thread="t1")
    assert page.do("suggestions") == [{**suggestion, "isLoading": False} for suggestion in TOLD]
    assert page.view() == before
    assert agent.wait_for_call("default", 2).input["threadId"] != "t1"
    threads = page.do("get", path="/threads?agentId=default")["threads"]
    assert [thread["id"] for thread in threads] == ["t1"]


@only(*NEWEST_CLIENTS)
def test_an_agent_that_fails_to_suggest_leaves_the_page_as_it_is(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    def fail_to_suggest(run_input: dict[str, Any]) -> list[Step]:
        answer: list[Step] = [{"http": {"status": 500, "body": "kaboom"}}]
        return answer if run_input["tools"] else run(*text("m1", "hello"))

    page = visit(mount({"default": fail_to_suggest}), suggestions=WANTED)
    expected = shown(user("hi"), assistant("hello"))
    assert page.send("hi", thread="t1") == expected
    agent.wait_for_call("default", 2)
    assert page.do("suggestions", count=0) == []
    assert page.view() == expected
