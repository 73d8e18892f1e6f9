"""Two users with agents of their own, and the real clients of the AG-UI contract."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py import CopilotRuntime
from tests.clients.conftest import LiveServer
from tests.clients_agui.browser import CORE_CLIENTS, only
from tests.clients_agui.conftest import Visit
from tests.test_agents_by_request import saying
from tests.test_agents_by_request import user as identify

pytestmark = pytest.mark.clients

TEAMS: dict[str, dict[str, Any]] = {
    "ann": {"sales": saying("I sell."), "shared": saying("Ann's.")},
    "bob": {"support": saying("I help."), "shared": saying("Bob's.")},
}


@only(*CORE_CLIENTS)
def test_each_user_sees_their_own_agents_and_threads(live_server: LiveServer, visit: Visit) -> None:
    runtime = CopilotRuntime(
        lambda context: TEAMS[context.owner], agents_cache_key=lambda context: context.owner
    )
    url = live_server.serve(runtime, identify=identify)
    for owner, own, words in (("ann", "sales", "Ann's."), ("bob", "support", "Bob's.")):
        page = visit(url, headers={"x-user": owner})
        assert set(page.info["agents"]) == {own, "shared"}
        view = page.send("hi", agent="shared", thread=f"of-{owner}")
        assert [message["content"] for message in view["messages"]] == ["hi", words]
        reloaded = visit(url, headers={"x-user": owner})
        assert reloaded.connect(agent="shared", thread=f"of-{owner}") == view
    stranger = visit(url, headers={"x-user": "bob"})
    assert stranger.connect(agent="shared", thread="of-ann")["messages"] == []
