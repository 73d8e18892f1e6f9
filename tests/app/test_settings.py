from pathlib import Path

import pytest

from copilotkit_runtime_py.app.settings import (
    Settings,
    SettingsError,
    check_origin,
    find_config,
    parse_agents,
)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings(endpoint="/api/copilotkit", cors=("localhost",))


def test_settings_survive_the_way_through_the_environment() -> None:
    settings = Settings(
        agents={"chat": "my app/agent.py:graph", "remote": "https://agents.example.com/?a=1,2"},
        config=Path("deploy/langgraph.json"),
        default_agent="chat",
        endpoint="/copilot",
        cors=("https://app.example.com", "http://localhost:3000"),
        store="postgresql://me:s3cret@db/threads",
        keep_days=30.5,
        keep_threads=10_000,
        keep_megabytes=512.0,
        drain_seconds=0.5,
        allowed_hosts=("app.example.com", "tunnel.example.net"),
        development=True,
    )

    assert Settings.from_environment(settings.to_environment()) == settings


def test_an_empty_cors_variable_forbids_every_other_origin() -> None:
    assert Settings.from_environment({"COPILOTKIT_CORS": ""}).cors == ()


def test_an_unclosed_quote_in_the_environment_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="COPILOTKIT_AGENTS is malformed"):
        Settings.from_environment({"COPILOTKIT_AGENTS": "chat='agent.py:graph"})


def test_a_target_may_hold_equals_signs() -> None:
    assert parse_agents(["remote=http://host/?a=b"]) == {"remote": "http://host/?a=b"}


@pytest.mark.parametrize("pair", ["chat", "=agent:graph", "chat=", ""])
def test_an_agent_without_name_or_target_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError, match="write NAME=TARGET"):
        parse_agents([pair])


def test_an_agent_given_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="'chat' is given twice"):
        parse_agents(["chat=a:b", "chat=c:d"])


@pytest.mark.parametrize("endpoint", ["", "api", "http://host/api", "/a?b", "/a#b", "/{a}", "//a", "/a b"])
def test_an_endpoint_that_is_no_path_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="no endpoint"):
        Settings(endpoint=endpoint)


@pytest.mark.parametrize("origin", ["*", "localhost", "http://localhost:3000", "https://app.example.com"])
def test_an_origin_is_accepted(origin: str) -> None:
    check_origin(origin)


@pytest.mark.parametrize("origin", ["", "app.example.com", "null", "localhost:3000", "/"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"write one such as https://app\.example\.com"):
        check_origin(origin)


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("https://app.example.com/", "https://app.example.com"),
        ("https://app.example.com/chat?x=1", "https://app.example.com"),
        ("HTTPS://App.example.com:8443", "https://app.example.com:8443"),
        ("https://user:secret@app.example.com", "https://app.example.com"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_one_meant(origin: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"write {meant}\\.$"):
        check_origin(origin)


@pytest.mark.parametrize("keyword", ["*", "localhost"])
def test_a_keyword_origin_stands_alone(keyword: str) -> None:
    with pytest.raises(SettingsError, match="stands alone"):
        Settings(cors=(keyword, "https://app.example.com"))


def test_langgraph_json_is_found_in_its_directory(tmp_path: Path) -> None:
    assert find_config(tmp_path) is None

    (tmp_path / "langgraph.json").write_text("{}")

    assert find_config(tmp_path) == tmp_path / "langgraph.json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COPILOTKIT_KEEP_DAYS", "a month"),
        ("COPILOTKIT_KEEP_THREADS", "1.5"),
        ("COPILOTKIT_KEEP_MEGABYTES", "-1"),
        ("COPILOTKIT_DRAIN_SECONDS", "inf"),
        ("COPILOTKIT_DRAIN_SECONDS", "nan"),
    ],
)
def test_a_malformed_number_in_the_environment_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is malformed"):
        Settings.from_environment({name: value})
