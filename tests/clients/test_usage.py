"""The tokens of a run with two models and a subagent, and the real client of the GraphQL contract."""

from __future__ import annotations

import threading

import pytest

from copilotkit_runtime_py.hooks import AfterRequest
from tests.clients.conftest import Serve
from tests.clients.driver import Clients, chat
from tests.test_usage import USED_BY_TEAM, team

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_the_hook_is_given_the_tokens_of_all_models(clients: Clients, serve: Serve) -> None:
    told: list[AfterRequest] = []
    over = threading.Event()

    def after(request: AfterRequest) -> None:
        told.append(request)
        over.set()

    url = serve({"a": team()}, on_after_request=after)
    result = clients.ask("generateCopilotResponse", url, variables=chat("a"))
    assert (result["gqlErrors"], result["warnings"]) == ([], [])
    assert over.wait(10)
    assert [request.usage for request in told] == [USED_BY_TEAM]
