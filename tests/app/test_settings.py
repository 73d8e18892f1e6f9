import dataclasses
import re
from pathlib import Path

import pytest

from copilotkit_runtime_py.app.setting import SETTINGS, read_files, unknown_variables
from copilotkit_runtime_py.app.settings import (
    Settings,
    SettingsError,
    check_origin,
    find_config,
    parse_agents,
)
from copilotkit_runtime_py.limits import Limits


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings(endpoint="/api/copilotkit")


def test_settings_survive_the_way_through_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "langgraph.json"
    config.touch()
    settings = Settings(
        agents={"chat": "my app/agent.py:graph", "remote": "https://agents.example.com/?a=1,2"},
        config=config,
        default_agent="chat",
        endpoint="/copilot",
        cors=("https://app.example.com", "http://localhost:3000"),
        store="postgresql://me:s3cret@db/threads",
        keep_days=30.5,
        keep_threads=10_000,
        keep_megabytes=512.0,
        limits=Limits(run_seconds=None, messages_per_request=500, busy_seconds=0.25),
        drain_delay=5.0,
        drain_seconds=0.5,
        allowed_hosts=("app.example.com", "tunnel.example.net"),
        development=True,
    )

    assert Settings.from_environment(settings.to_environment()) == settings


def test_the_largest_body_is_a_limit_in_mebibytes() -> None:
    settings = Settings.from_environment({"COPILOTKIT_MAX_BODY": "0.5"})

    assert (settings.limits.request_bytes, settings.max_body) == (512 * 1024, 0.5)


def test_an_empty_cors_variable_forbids_every_other_origin() -> None:
    closed = Settings.from_environment({"COPILOTKIT_CORS": ""})

    assert closed.cors == ()
    assert Settings.from_environment(closed.to_environment()) == closed


def test_an_unclosed_quote_in_the_environment_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="COPILOTKIT_AGENTS is malformed"):
        Settings.from_environment({"COPILOTKIT_AGENTS": "chat='agent.py:graph"})


def test_a_target_may_hold_equals_signs() -> None:
    assert parse_agents(["remote=http://host/?a=b"]) == {"remote": "http://host/?a=b"}


@pytest.mark.parametrize("pair", ["chat", "=agent:graph", "chat=", "", "agent.py", ":graph", "agent.py:"])
def test_what_is_not_an_agent_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError, match="write TARGET or NAME=TARGET"):
        parse_agents([pair])


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("my_agent.py:graph", "my_agent"),
        ("src/team/research.py:Flow", "research"),
        ("agents.py:booking", "booking"),
        ("my_app.chat:graph", "chat"),
        ("openai:gpt-4.1-mini", "gpt-4.1-mini"),
        ("https://agents.example.com/v1/research/?key=1", "research"),
        ("http://127.0.0.1:8001", "127.0.0.1"),
        ("langgraph+https://host.example/booking", "booking"),
    ],
)
def test_a_target_alone_names_its_agent(target: str, name: str) -> None:
    assert parse_agents([target]) == {name: target}


def test_an_agent_given_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="'chat' is given twice"):
        parse_agents(["chat=a:b", "chat=c:d"])


@pytest.mark.parametrize("endpoint", ["", "api", "http://host/api", "/a?b", "/a#b", "/{a}", "//a", "/a b"])
def test_an_endpoint_that_is_no_path_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="not a valid path"):
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


def test_every_setting_has_a_row_in_the_table() -> None:
    rows = [setting.name for setting in SETTINGS]
    rows.remove("max_body")  # one of the limits
    assert rows == [field.name for field in dataclasses.fields(Settings)]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("messages=5", "'messages' is not a limit. The limits are: request_bytes, "),
        ("messages_per_request=many", "'many' must be a number ≥ 0."),
        ("messages_per_request=1.5", "'1.5' must be a whole number."),
        ("json_depth=none", "The limit 'json_depth' cannot be switched off."),
        ("run_seconds=inf", "'inf' must be a number ≥ 0."),
    ],
)
def test_a_limit_that_cannot_be_is_refused(value: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"COPILOTKIT_LIMITS is malformed: {re.escape(problem)}"):
        Settings.from_environment({"COPILOTKIT_LIMITS": value})


def test_a_limit_that_is_too_large_is_refused() -> None:
    with pytest.raises(SettingsError, match="'run_seconds' must be between 0 and 1000000000, not 1e\\+300"):
        Settings.from_environment({"COPILOTKIT_LIMITS": "run_seconds=1e300"})


def test_a_value_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "store"
    secret.write_text("postgresql://me:s3cret@db/threads\n")

    settings = Settings.from_environment({"COPILOTKIT_STORE_FILE": str(secret)})

    assert settings.store == "postgresql://me:s3cret@db/threads"


def test_a_file_that_cannot_be_read_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="COPILOTKIT_STORE_FILE cannot be read: No such file"):
        read_files({"COPILOTKIT_STORE_FILE": str(tmp_path / "none")})


def test_a_value_and_a_file_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Set either COPILOTKIT_STORE or COPILOTKIT_STORE_FILE"):
        read_files({"COPILOTKIT_STORE": "memory", "COPILOTKIT_STORE_FILE": str(tmp_path / "store")})


def test_variables_that_are_no_settings_are_found() -> None:
    environ = [
        "COPILOTKIT_AGENT",
        "COPILOTKIT_AGENTS",
        "COPILOTKIT_STORE_FILE",
        "COPILOTKIT_LOG_LEVEL",
        "PATH",
    ]

    assert unknown_variables(environ) == ["COPILOTKIT_AGENT"]
