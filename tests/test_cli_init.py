import importlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.test_cli import run

PAGES = Path(__file__).parent / "browser"
TOOL = {"name": "setBackgroundColor", "description": "", "parameters": {"type": "object"}}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory whose modules can be imported, and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "my app"
    monkeypatch.syspath_prepend(directory)
    before = set(sys.modules)
    yield directory
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(directory)):
            del sys.modules[name]


def files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()
    }


def said(client: TestClient, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"threadId": "t1", "runId": f"r{len(messages)}", "messages": messages, "tools": [TOOL]}
    lines = client.post("/api/copilotkit/agent/assistant/run", json=body).text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def text(told: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in told if event["type"] == "TEXT_MESSAGE_CONTENT")


def test_the_app_answers_and_uses_the_tool_of_the_page(directory: Path) -> None:
    result = run("init", str(directory))
    assert result.exit_code == 0, result.output
    app = importlib.import_module("app").app
    hello = {"id": "u1", "role": "user", "content": "Hello"}
    paint = {"id": "u2", "role": "user", "content": "Make the page green!"}

    with TestClient(app) as client:
        welcome = said(client, hello)
        called = said(client, paint)
        (call,) = [event for event in called if event["type"] == "TOOL_CALL_START"]
        (args,) = [event["delta"] for event in called if event["type"] == "TOOL_CALL_ARGS"]
        done = {"id": "u3", "role": "tool", "toolCallId": call["toolCallId"], "content": "It is green."}
        answer = said(client, done)
        page = client.get("/", headers={"accept": "text/html"})

    assert text(welcome).startswith("Hello! I am a LangGraph graph in agent.py")
    assert len([event for event in welcome if event["type"] == "TEXT_MESSAGE_CONTENT"]) > 5
    assert (call["toolCallName"], json.loads(args)) == ("setBackgroundColor", {"color": "green"})
    assert text(answer) == "Done. The page says: It is green."
    assert page.status_code == 404
    assert (directory / "threads.db").is_file()


def test_the_app_serves_the_page_once_it_is_built(directory: Path) -> None:
    run("init", str(directory))
    (directory / "web" / "dist").mkdir()
    (directory / "web" / "dist" / "index.html").write_text("<title>the page</title>")
    app = importlib.import_module("app").app

    with TestClient(app) as client:
        assert client.get("/").text == "<title>the page</title>"
        assert client.get("/api/copilotkit/info").json()["agents"].keys() == {"assistant", "default"}


def test_the_langgraph_json_names_the_same_agent(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", str(directory))
    monkeypatch.chdir(directory)

    rows = json.loads(run("agents", "--json").stdout)

    assert [(row["name"], row["kind"], row["target"]) for row in rows] == [
        ("assistant", "LangGraph", "./agent.py:graph")
    ]


@pytest.mark.parametrize("client", ["newest", "1.10"])
def test_a_next_page_has_its_rewrites_and_no_vite(client: str, directory: Path) -> None:
    result = run("init", str(directory), "--page", "next", "--client", client)

    written = files(directory)
    package = json.loads(written["web/package.json"])
    assert result.exit_code == 0
    assert "3. Open http://localhost:3000" in result.output
    assert "http://localhost:3000" in written["README.md"]
    assert "next" in package["dependencies"]
    assert '"/api/copilotkit/:path*"' in written["web/next.config.ts"]
    assert written["web/app/page.tsx"].startswith('"use client";\n')
    assert "export default function App" in written["web/app/page.tsx"]
    assert "styles.css" in written["web/app/layout.tsx"]
    assert not any("vite" in path for path in written)
    assert not any("@requirement@" in text or "@port@" in text for text in written.values())


def test_the_example_is_the_next_page_for_the_agent_of_the_demo(directory: Path) -> None:
    run("init", str(directory), "--page", "next")

    example = Path(__file__).parents[1] / "examples" / "next"
    written = {
        name.removeprefix("web/"): text.replace('"assistant"', '"demo"')
        for name, text in files(directory).items()
        if name.startswith("web/")
    }
    assert {name: (example / name).read_text() for name in written} == written


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, "copilotkit-runtime-py[langgraph]"),
        ("not JSON", "copilotkit-runtime-py[langgraph]"),
        (
            '{"url": "file:///home/me/runtime", "dir_info": {"editable": true}}',
            "copilotkit-runtime-py[langgraph] @ file:///home/me/runtime",
        ),
        (
            '{"url": "file:///dist/runtime-0.1.0-py3-none-any.whl", "archive_info": {}}',
            "copilotkit-runtime-py[langgraph] @ file:///dist/runtime-0.1.0-py3-none-any.whl",
        ),
        (
            '{"url": "https://host/me/runtime.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            "copilotkit-runtime-py[langgraph] @ git+https://host/me/runtime.git@abc",
        ),
    ],
)
def test_what_is_written_installs_from_where_the_command_came_from(
    record: str | None, expected: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = SimpleNamespace(read_text=lambda name: record if name == "direct_url.json" else None)
    monkeypatch.setattr("copilotkit_runtime_py.cli.origin.distribution", lambda name: installed)

    run("init", str(directory))

    project = tomllib.loads((directory / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == [expected]


@pytest.mark.parametrize(("client", "tested"), [("newest", "page-1.74"), ("1.10", "page-1.10")])
def test_the_page_depends_on_versions_that_are_tested_in_browsers(
    client: str, tested: str, directory: Path
) -> None:
    run("init", str(directory), "--client", client)

    package = json.loads((directory / "web" / "package.json").read_text())

    known = json.loads((PAGES / tested / "package.json").read_text())
    for kind in ("dependencies", "devDependencies"):
        wanted = {name: version.lstrip("^~") for name, version in package[kind].items()}
        assert wanted.items() <= known[kind].items()
    assert package["scripts"] == {"dev": "vite", "build": "tsc --noEmit && vite build"}


def test_a_file_that_exists_is_kept_and_nothing_is_written_beside_it(directory: Path) -> None:
    directory.mkdir()
    (directory / "app.py").write_text("mine")

    result = run("init", str(directory))

    assert result.exit_code == 1
    assert f"there is already: {directory}/app.py. Name a new directory." in " ".join(result.output.split())
    assert files(directory) == {"app.py": "mine"}


def test_the_working_directory_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("init")

    assert "1. The server:  uv run uvicorn app:app --reload" in result.output
    assert set(files(tmp_path)) == {
        ".gitignore",
        "README.md",
        "agent.py",
        "app.py",
        "langgraph.json",
        "pyproject.toml",
        "web/index.html",
        "web/package.json",
        "web/src/App.tsx",
        "web/src/main.tsx",
        "web/src/page.css",
        "web/tsconfig.json",
        "web/vite.config.ts",
    }


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    result = run("init", "file/app")

    assert result.exit_code == 1
    assert "cannot be written: Not a directory." in result.output
