"""The tokens of a run with two models and a subagent, and the real clients of the AG-UI contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copilotkit_runtime_py.hooks import AfterRequest
from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, Client, Page, only
from tests.clients_agui.conftest import Visit
from tests.test_usage import USED_BY_TEAM, team

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def usage_in(page: Page) -> Any:
    """The usage with which the page's last stream ends."""
    lines = page.log()["requests"][-1]["text"].splitlines()
    (end,) = [json.loads(line[len("data: ") :]) for line in lines if '"RUN_FINISHED"' in line]
    return end["usage"]


@only(
    Client("core", NEWEST, "auto"),
    Client("core", "1.56.5", "single"),
    Client("agui", "0.0.57", "rest"),
    Client("agui", "1.0.0", "rest"),
)
def test_the_tokens_of_all_models_are_added_up(serve: Serve, visit: Visit) -> None:
    told: list[AfterRequest] = []
    url = serve({"default": team()}, on_after_request=told.append)
    page = visit(url)
    view = page.send("hi", thread="t1")
    assert (view["errors"], usage_in(page)) == ([], USED_BY_TEAM)
    reloaded = visit(url)
    assert reloaded.connect(thread="t1") == view
    assert usage_in(reloaded) == USED_BY_TEAM
    assert [after.usage for after in told] == [USED_BY_TEAM]
