import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.test_cli import AGENT, run, started

pytestmark = pytest.mark.processes

RUN = {"threadId": "t1", "runId": "r1", "messages": [{"id": "u1", "role": "user", "content": "hello"}]}
FAULTY = """
async def agent(input):
    raise ValueError("the answer is 42")
    yield
"""
GRAPH = """
from langgraph.graph import MessagesState, StateGraph

graph = StateGraph(MessagesState).add_node("reply", lambda state: {}).add_edge("__start__", "reply").compile()
"""
AGENTS = ("--agent", "chat=agent.py:agent")
DEV = ("dev", "--port", "0", "--store", "memory")


def url_in(banner: list[str]) -> str:
    return banner[0].removeprefix("CopilotKit runtime for development: ")


def answer(url: str) -> str:
    return httpx.post(f"{url}/agent/default/run", json=RUN, timeout=30).text


def test_what_an_agent_raises_reaches_the_page(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(FAULTY)

    with started(tmp_path, *DEV, "--no-reload", "--agent", "chat=agent.py:agent") as banner:
        said = answer(url_in(banner))

    assert "ValueError: the answer is 42" in said


def test_the_langgraph_json_is_found_and_the_playground_is_named(tmp_path: Path) -> None:
    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": {"first": "./graph.py:graph"}}))

    with started(tmp_path, *DEV, "--no-reload") as banner:
        url = url_in(banner)
        agents = httpx.get(f"{url}/info").json()["agents"]
        page = httpx.get(
            banner[2].removeprefix("Playground: "), headers={"accept": "text/html"}, follow_redirects=True
        )

    assert banner[1] == f"Agents: those of {tmp_path}/langgraph.json"
    assert banner[2] == f"Playground: {url.removesuffix('api/copilotkit')}"
    assert list(agents) == ["first", "default"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"


@contextmanager
def watched(directory: Path) -> Iterator[tuple[str, list[str], threading.Condition]]:
    """The server with reload, its URL, and what it prints to standard error, with the news of more."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from copilotkit_runtime_py.cli import main; main()", *DEV, *AGENTS],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    changed = threading.Condition()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with changed:
                said.append(line)
                changed.notify_all()

    assert process.stdout is not None
    reader = threading.Thread(target=read)
    reader.start()
    try:
        url = next(found[1] for line in process.stdout if (found := re.search(r"development: (\S+)", line)))
        yield url, said, changed
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()


def test_a_changed_file_is_served_and_a_broken_one_is_told_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text("def agent(:")
    with watched(tmp_path) as (url, said, changed):

        def wait_for(line: str) -> None:
            with changed:
                assert changed.wait_for(lambda: any(line in each for each in said), 30), "".join(said)

        wait_for("Error: ")
        file.write_text(AGENT)
        wait_for("Application startup complete.")
        mended = answer(url)

    assert [line for line in said if line.startswith("Error: ")] == [
        f"Error: {file} cannot be imported: SyntaxError: invalid syntax ({file}:1)\n"
    ]
    assert not [line for line in said if "Traceback" in line]
    assert "Good morning" in mended


def test_without_agents_it_is_told_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("dev")

    assert result.exit_code == 2
    assert "pass --agent NAME=TARGET or --config, or start where a langgraph.json is" in result.output


def test_off_loopback_it_is_told_what_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    # The agent cannot be loaded, so the command ends before it serves.
    result = run(*DEV, "--no-reload", "--host", "0.0.0.0", "--agent", "chat=missing.py:agent")

    assert "in development they also read the text of exceptions" in result.output
