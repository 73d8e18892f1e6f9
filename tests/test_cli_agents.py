import json
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context
from graphql import build_schema

from copilotkit_runtime_py.cli import COMMANDS, cli
from tests.test_cli import AGENT, run

GRAPH = """
print("loading the graph")
from langgraph.graph import MessagesState, StateGraph

graph = StateGraph(MessagesState).add_node("reply", lambda state: {}).add_edge("__start__", "reply").compile()
"""
CONFIG = {"graphs": {"first": {"path": "./graph.py:graph", "description": "Answers first."}}}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "graph.py").write_text(GRAPH)


def test_every_command_has_one_line_of_help() -> None:
    names = ["agents", "demo", "dev", "doctor", "init", "schema", "serve", "threads"]
    context = Context(cli)

    output = run("--help").output

    assert cli.list_commands(context) == names
    for name in names:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help is not None
        assert command.help.splitlines()[0] == COMMANDS[name]
        assert f"  {name} " in output


def test_the_list_of_commands_imports_none_of_them() -> None:
    heavy = ("ag_ui", "asyncio", "fastapi", "httpx", "pydantic", "starlette", "uvicorn")
    script = (
        "import sys; from click.testing import CliRunner; from copilotkit_runtime_py.cli import cli; "
        "before = set(sys.modules); CliRunner().invoke(cli, ['--help']); "
        f"print([m for m in {heavy} if m in sys.modules and m not in before], "
        f"[m for m in before if m.startswith('copilotkit_runtime_py.')])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[] ['copilotkit_runtime_py.cli']\n"


def test_agents_are_listed_with_their_kind_and_target(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps(CONFIG))
    remote = "https://agents.example.com/research"
    arguments = ("--config", "langgraph.json", "--agent", "chat=agent.py:agent", "--agent", f"far={remote}")

    rows = json.loads(run("agents", "--json", *arguments).stdout)

    told = [(row["name"], row["kind"], row["target"], row["description"], row["default"]) for row in rows]
    assert told == [
        ("first", "LangGraph", "./graph.py:graph", "Answers first.", False),
        ("chat", "function", "agent.py:agent", "", False),
        ("far", "AG-UI agent at a URL", remote, "", False),
    ]
    assert rows[0]["capabilities"]["transport"]["streaming"] is True


def test_the_list_for_people_is_short(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps(CONFIG))

    lines = run("agents").stdout.splitlines()

    assert lines == ["first (default)", "  LangGraph: ./graph.py:graph", "  Answers first."]


def test_the_default_agent_is_the_one_that_is_named() -> None:
    arguments = ("--agent", "a=agent.py:agent", "--agent", "b=agent.py:agent", "--default-agent", "b")

    rows = json.loads(run("agents", "--json", *arguments).stdout)

    assert [(row["name"], row["default"]) for row in rows] == [("a", False), ("b", True)]


def test_the_key_in_a_url_is_not_listed() -> None:
    output = run("agents", "--agent", "far=https://agents.example.com/?key=s3cret").output

    assert "s3cret" not in output
    assert "https://agents.example.com/" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No agent to serve: name one, such as my_agent.py:graph"),
        (["--agent", "a=agent.py:agnet"], "agent.py has no attribute 'agnet'. It has: agent."),
        (["--agent", "a=agent.py:agent", "--default-agent", "b"], "The default agent 'b' is not registered."),
    ],
)
def test_an_agent_that_cannot_be_served_is_told_in_a_line(arguments: list[str], message: str) -> None:
    result = run("agents", *arguments)

    assert result.exit_code in (1, 2)
    assert message in result.output


def test_the_schema_is_valid_sdl_with_the_fields_of_the_contract() -> None:
    schema = build_schema(run("schema").output)

    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert set(schema.query_type.fields) == {"hello", "availableAgents", "loadAgentState"}
    assert set(schema.mutation_type.fields) == {"generateCopilotResponse"}


def test_the_operations_are_those_of_the_client() -> None:
    output = run("schema", "--operations").output

    assert "mutation generateCopilotResponse($data: GenerateCopilotResponseInput!" in output
