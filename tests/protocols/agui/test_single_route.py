"""One URL for every contract: what its body is decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio

HINT = "The body is neither a GraphQL request (a 'query') nor a single-route AG-UI request (a 'method')."
JSON = "application/json"
MALFORMED_PARAMS: list[Any] = [
    [],
    "agent",
    {"agentId": ["agent"]},
    {"agentId": 1},
    {"agent_id": "agent"},
]
GRAPHQL = {"accept": "application/graphql-response+json, application/json"}


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    yield {}


@pytest.mark.parametrize("path", ["", "/"])
async def test_a_query_is_graphql_and_a_method_an_envelope(path: str) -> None:
    async with serve({"agent": talk}) as served:
        graphql = served.request("POST", path, {"query": "{ hello }"}, GRAPHQL)
        assert await served.json(graphql) == (200, {"data": {"hello": "Hello World"}})
        status, info = await served.json(served.request("POST", path, {"method": "info"}))
        assert (status, info["version"]) == (200, "1.75.0")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{bad", "Invalid JSON payload"),
        (b"", "Invalid JSON payload"),
        ({}, "Missing method field"),
        ({"variables": {}}, "Missing method field"),
        (b"null", "Missing method field"),
        ([], "Missing method field"),
        ([{"method": "info"}], "Missing method field"),
        ("info", "Missing method field"),
    ],
)
async def test_a_body_of_neither_contract_gets_an_error_that_names_both(body: Any, message: str) -> None:
    async with serve({"agent": talk}) as served:
        status, answer = await served.json(served.request("POST", "", body))
    assert (status, answer["error"], answer["message"]) == (400, "invalid_request", message)
    assert [error["message"] for error in answer["errors"]] == [HINT]


async def test_a_graphql_client_with_a_malformed_body_gets_the_errors_it_reads() -> None:
    async with serve({"agent": talk}) as served:
        status, answer = await served.json(served.request("POST", "", {}, GRAPHQL))
    assert status == 400
    assert [error["message"] for error in answer["errors"]] == ["Must provide query string."]


@pytest.mark.parametrize("method", [None, 5, "", {"a": 1}])
async def test_a_method_that_is_no_name_is_a_missing_one(method: Any) -> None:
    async with serve({"agent": talk}) as served:
        answer = await served.json(served.request("POST", "", {"method": method}))
    assert answer == (400, {"error": "invalid_request", "message": "Missing method field"})


async def test_params_of_any_shape_are_refused_and_not_trusted() -> None:
    missing = {"error": "invalid_request", "message": "Missing or invalid parameter 'agentId'"}
    async with serve({"agent": talk}) as served:
        for params in MALFORMED_PARAMS:
            assert await served.json(served.envelope("agent/run", params, {})) == (400, missing)


async def test_a_resource_request_reaches_resources_only() -> None:
    async with serve({"agent": talk}) as served:
        for path in (
            "/info",
            "/agent/agent/run",
            "/transcribe",
            "/cpk-debug-events",
            "/threads/x/../../info",
        ):
            for method in ("GET", "POST"):
                params: Event = {"path": path, "httpMethod": method}
                status, _ = await served.json(served.envelope("resource/request", params, {}))
                assert status in (404, 405)


async def test_a_browser_gets_the_playground_at_the_url_and_json_below_it() -> None:
    html = {"accept": "text/html,*/*"}
    async with serve({"agent": talk}) as served:
        async with served.request("GET", "", b"", html) as page:
            assert page.headers["content-type"] == "text/html; charset=utf-8"
        async with served.request("GET", "/info", b"", html) as info:
            assert info.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/agent", 404, None),
        ("POST", "/agent/x", 404, None),
        ("POST", "/agent//run", 404, None),
        ("DELETE", "/info", 405, "GET, POST"),
        ("HEAD", "/info", 405, "GET, POST"),
        ("PUT", "/agent/agent/run", 405, "POST"),
        ("GET", "/agent/agent/stop/t", 405, "POST"),
        ("DELETE", "/threads", 405, "GET"),
        ("GET", "/threads/clear", 405, "POST, PATCH, DELETE"),
        ("GET", "/memories", 404, None),
        ("GET", "/inspector-learning", 404, None),
        ("GET", "/agent/agent/run/..%2f..%2finfo", 404, None),
    ],
)
async def test_paths_that_lead_nowhere_and_methods_that_do_not_fit_are_told_apart(
    method: str, path: str, status: int, allow: str | None
) -> None:
    async with serve({"agent": talk}) as served, served.request(method, path) as exchange:
        assert (exchange.status, exchange.headers.get("allow")) == (status, allow)


async def test_a_thread_may_be_called_like_a_path() -> None:
    async with serve({"agent": talk}) as served:
        for thread in ("info", "transcribe", "threads", "annotate"):
            answer = await served.json(served.stop(thread=thread))
            assert answer == (200, {"stopped": False, "message": f"No active run for thread '{thread}'."})


@pytest.mark.parametrize(
    "path", ["/info/", "//info", "/deep/er/info", "/deep//er/info//", "/%69nfo", "/info?x=1"]
)
async def test_slashes_prefixes_and_escapes_in_a_path_mean_nothing(path: str) -> None:
    async with serve({"agent": talk}) as served:
        status, info = await served.json(served.request("GET", path))
    assert (status, info["version"]) == (200, "1.75.0")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/x-www-form-urlencoded; charset=utf-8"]
)
async def test_a_page_of_another_origin_changes_nothing_without_the_browser_asking(content_type: str) -> None:
    foreign = {"origin": "https://evil.test", "host": "app.test", "content-type": content_type}
    own = {**foreign, "origin": "https://app.test"}
    async with serve({"agent": talk}) as served:
        for path in ("/threads/clear", "/agent/agent/run", "/agent/agent/stop/t"):
            status, answer = await served.json(served.request("POST", path, b"", foreign))
            assert (status, answer["message"]) == (415, "A page of another origin has to send JSON")
        async with served.request("POST", "/threads/clear", b"", own) as cleared:
            assert cleared.status == 204
        async with served.request("POST", "/threads/clear", {}, {**foreign, "content-type": JSON}) as cleared:
            assert cleared.status == 204


async def test_options_are_answered_everywhere() -> None:
    async with serve({"agent": talk}) as served:
        for path in ("", "/info", "/agent/agent/run"):
            async with served.request("OPTIONS", path) as exchange:
                assert exchange.status == 204
