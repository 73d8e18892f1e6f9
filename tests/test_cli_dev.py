import contextlib
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

from copilotkit_runtime_py.app.settings import Settings
from copilotkit_runtime_py.cli.server import watched_directories
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
        page = httpx.get(url, headers={"accept": "text/html"})

    assert banner[1] == "Agents: first (default)"
    assert banner[2] == f"Playground: open {url} in a browser"
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


def test_a_broken_file_is_answered_with_its_error_until_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text("def agent(:")
    page = {"accept": "text/html"}
    origin = "http://localhost:5173"
    graphql = {"accept": "application/graphql-response+json, application/json, multipart/mixed"}
    broken = f"{file} cannot be imported: SyntaxError: invalid syntax ({file}:1)"
    crashing = f"{file} cannot be imported: ZeroDivisionError: division by zero ({file}:1)"
    with watched(tmp_path) as (url, said, changed):

        def wait_for(line: str, times: int = 1) -> None:
            with changed:
                enough = changed.wait_for(lambda: sum(line in each for each in said) >= times, 30)
                assert enough, "".join(said)

        wait_for("Application startup complete.")
        refused = httpx.post(f"{url}/agent/default/run", json=RUN, headers={"origin": origin})
        info = httpx.get(f"{url}/info")
        asked = httpx.post(url, json={"query": "{ hello }"}, headers=graphql)
        shown = httpx.get(url, headers=page)
        file.write_text(AGENT)
        wait_for("Application startup complete.", 2)
        mended = answer(url)
        file.write_text("1 / 0")
        wait_for("Application startup complete.", 3)
        again = httpx.get(url, headers=page)
        file.write_text("import sys; sys.exit('bye')")
        wait_for("Application startup complete.", 4)
        left = httpx.get(f"{url}/info")

    assert (refused.status_code, refused.json()["message"]) == (503, broken)
    assert refused.headers["access-control-allow-origin"] == origin
    assert (info.status_code, info.json()["message"]) == (503, broken)
    assert (asked.status_code, asked.json()["errors"][0]["message"]) == (200, broken)
    assert shown.status_code == again.status_code == 503
    assert "def agent(:\n              ^\nSyntaxError: invalid syntax</pre>" in shown.text
    assert "Good morning" in mended
    assert "1 / 0" in again.text
    assert (left.status_code, "SystemExit(&#x27;bye&#x27;)" in left.text) == (503, False)
    assert "exits when it is imported: SystemExit('bye')" in left.json()["message"]
    assert [line for line in said if line.startswith("Error: ")][:2] == [
        f"Error: {broken}\n",
        f"Error: {crashing}\n",
    ]
    assert not [line for line in said if "Traceback" in line]


def test_outside_development_a_broken_file_is_answered_without_its_error(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("s3cret = (:")
    arguments = ("--reload", "--agent", "chat=agent.py:agent", "--store", "memory")
    with started(tmp_path, "serve", "--port", "0", *arguments) as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=30) as client:
            answers = [client.get(f"{url}/info"), client.get(url, headers={"accept": "text/html"})]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("cannot be loaded" in answer.text for answer in answers)
    assert not any("s3cret" in answer.text or "SyntaxError" in answer.text for answer in answers)


def test_the_directory_of_an_agent_elsewhere_is_watched(tmp_path: Path) -> None:
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    here.mkdir()
    elsewhere.mkdir()
    (elsewhere / "agent.py").touch()
    settings = Settings(agents={"chat": str(elsewhere / "agent.py:agent"), "far": "http://127.0.0.1:1/"})

    with contextlib.chdir(here):
        assert watched_directories(settings) == [str(here), str(elsewhere)]


def test_without_agents_it_is_told_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("dev")

    assert result.exit_code == 2
    assert "name one, such as my_agent.py:graph, pass --config, or start where a" in result.output


def test_off_loopback_it_is_told_what_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    # The agent cannot be loaded, so the command ends before it serves.
    result = run(*DEV, "--no-reload", "--host", "0.0.0.0", "--agent", "chat=missing.py:agent")

    assert "in development they also read the text of exceptions" in result.output
