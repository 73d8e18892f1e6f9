from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.app.application import create_app, retention_of, with_agents
from copilotkit_runtime_py.app.settings import Settings, SettingsError, demo_agent
from copilotkit_runtime_py.providers.target import TargetError
from copilotkit_runtime_py.state_store.base import Retention

ENDPOINT = "/api/copilotkit"
AGENTS = {"remote": "http://127.0.0.1:1/"}
HELLO = {"query": "{ hello }"}


def app_for(*cors: str) -> FastAPI:
    return create_app(Settings(agents=AGENTS, cors=cors))


def cors_headers(headers: Mapping[str, str]) -> dict[str, str]:
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}


def preflight(
    app: FastAPI, origin: str, headers: str = "content-type, x-copilotkit-runtime-client-gql-version"
) -> Any:
    return TestClient(app).options(
        ENDPOINT,
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": headers,
        },
    )


def test_without_cors_no_other_origin_is_let_in() -> None:
    answer = TestClient(app_for()).post(ENDPOINT, json=HELLO, headers={"origin": "http://localhost:3000"})

    assert answer.json() == {"data": {"hello": "Hello World"}}
    assert cors_headers(answer.headers) == {}


def test_any_origin_is_let_in_without_credentials() -> None:
    answer = TestClient(app_for("*")).post(
        ENDPOINT, json=HELLO, headers={"origin": "https://anyone.example", "cookie": "session=1"}
    )

    assert cors_headers(answer.headers) == {
        "allow-origin": "*",
        "expose-headers": "x-copilotkit-runtime-version",
    }


def test_a_named_origin_is_let_in_with_credentials() -> None:
    app = app_for("https://one.example", "https://two.example")

    answer = TestClient(app).post(ENDPOINT, json=HELLO, headers={"origin": "https://two.example"})

    assert cors_headers(answer.headers) == {
        "allow-origin": "https://two.example",
        "allow-credentials": "true",
        "expose-headers": "x-copilotkit-runtime-version",
    }
    assert "origin" in answer.headers["vary"].lower()


def test_an_origin_that_is_not_named_is_not_let_in() -> None:
    answer = TestClient(app_for("https://one.example")).post(
        ENDPOINT, json=HELLO, headers={"origin": "https://one.example.evil.example"}
    )

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://localhost:5173",
        "https://localhost",
        "http://127.0.0.1:8080",
        "http://[::1]:80",
    ],
)
def test_pages_of_this_machine_are_let_in_without_credentials(origin: str) -> None:
    answer = TestClient(app_for("localhost")).post(ENDPOINT, json=HELLO, headers={"origin": origin})

    assert cors_headers(answer.headers) == {
        "allow-origin": origin,
        "expose-headers": "x-copilotkit-runtime-version",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://localhost:3000.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127x0x0x1",
        "http://evil.example/localhost",
        "null",
    ],
)
def test_a_host_that_only_looks_like_this_machine_is_not_let_in(origin: str) -> None:
    answer = TestClient(app_for("localhost")).post(ENDPOINT, json=HELLO, headers={"origin": origin})

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("cors", "origin", "allowed", "credentials"),
    [
        ("*", "https://anyone.example", "*", None),
        ("localhost", "http://localhost:3000", "http://localhost:3000", None),
        ("https://one.example", "https://one.example", "https://one.example", "true"),
    ],
)
def test_a_preflight_allows_the_headers_that_it_asks_for(
    cors: str, origin: str, allowed: str, credentials: str | None
) -> None:
    answer = preflight(app_for(cors), origin, "authorization, content-type, x-anything")

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type, x-anything"
    assert answer.headers["access-control-allow-origin"] == allowed
    assert answer.headers.get("access-control-allow-credentials") == credentials
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_a_preflight_of_another_origin_is_refused() -> None:
    answer = preflight(app_for("https://one.example"), "https://evil.example")

    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


def test_the_root_leads_to_the_endpoint() -> None:
    answer = TestClient(create_app(Settings(agents=AGENTS, endpoint="/ck")), follow_redirects=False).get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/ck")


def test_the_endpoint_may_be_the_root() -> None:
    answer = TestClient(create_app(Settings(agents=AGENTS, endpoint="/"))).post("/", json=HELLO)

    assert answer.json() == {"data": {"hello": "Hello World"}}


def test_a_target_that_is_no_agent_is_told_with_the_agents_name() -> None:
    with pytest.raises(TargetError, match="The agent 'chat' cannot be served: int is not an agent"):
        create_app(Settings(agents={"chat": "sys:maxsize"}))


def test_an_agent_that_langgraph_json_names_too_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.py").write_text(
        "from langgraph.graph import MessagesState, StateGraph\n"
        "builder = StateGraph(MessagesState).add_node('reply', lambda state: {})\n"
        "graph = builder.add_edge('__start__', 'reply').compile()\n"
    )
    config = tmp_path / "langgraph.json"
    config.write_text('{"dependencies": ["."], "graphs": {"remote": "./graph.py:graph"}}')

    with pytest.raises(SettingsError, match=r"The agent 'remote' is given and also in .*langgraph\.json"):
        create_app(Settings(agents=AGENTS, config=config))


def test_an_app_without_agents_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(create_app(Settings())) as client:
        answer = client.post(
            ENDPOINT,
            json={"query": '{ loadAgentState(data: {threadId: "t", agentName: "chat"}) { threadId } }'},
        )

    assert answer.json()["errors"][0]["message"].startswith(
        "Agent 'chat' was not found. Please set up at least one agent"
    )
    assert "Set COPILOTKIT_AGENTS=NAME=TARGET or add a langgraph.json." in caplog.text


def test_shutdown_closes_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    async def aclose(self: CopilotRuntime) -> None:
        closed.extend(self.agents)

    monkeypatch.setattr(CopilotRuntime, "aclose", aclose)
    with TestClient(app_for()):
        assert closed == []

    assert closed == ["remote"]


def test_named_agents_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "langgraph.json").write_text("{}")
    settings = Settings(agents=AGENTS)

    assert with_agents(settings) is settings


def test_without_agents_the_langgraph_json_of_the_working_directory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "langgraph.json").write_text("{}")

    assert with_agents(Settings()) == Settings(config=tmp_path / "langgraph.json")


def test_with_nothing_else_the_demo_agent_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert with_agents(Settings()) == Settings(agents=demo_agent())


@pytest.mark.parametrize(
    ("settings", "retention"),
    [
        (Settings(), None),
        (
            Settings(keep_days=0.5),
            Retention(
                max_age=timedelta(hours=12),
                max_threads=1000,
                max_runs_per_thread=100,
                max_bytes=512 * 1024 * 1024,
            ),
        ),
        (
            Settings(store="sqlite:///t.db", keep_days=30, keep_threads=10, keep_megabytes=1.5),
            Retention(max_age=timedelta(days=30), max_threads=10, max_bytes=1_500_000),
        ),
    ],
)
def test_the_settings_bound_what_is_kept(settings: Settings, retention: Retention | None) -> None:
    assert retention_of(settings) == retention
