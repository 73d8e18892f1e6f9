import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from copilotkit_runtime_py.app.settings import demo_agent
from copilotkit_runtime_py.cli import cli

pytestmark = pytest.mark.processes

AGENT = """
async def agent(input):
    yield {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "Good morning"}
    yield {"type": "TEXT_MESSAGE_END", "messageId": "m1"}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the files that a server makes out of the project."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@contextmanager
def started(directory: Path, *arguments: str) -> Iterator[list[str]]:
    """Starts the command and yields the lines of its banner; afterwards it is stopped as by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from copilotkit_runtime_py.cli import main; main()", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "\n", process.communicate(timeout=10)[1]
        lines: list[str] = []
        while (line := process.stdout.readline()) not in ("\n", ""):
            lines.append(line.rstrip("\n"))
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_the_version_is_the_distributions() -> None:
    assert run("--version").output.strip().endswith(version("copilotkit-runtime-py"))


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_help_tells_the_options(command: str) -> None:
    output = run(command, "-h").output

    assert "--endpoint" in output
    assert "--cors" in output


def test_serve_without_agents_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("serve")

    assert result.exit_code == 2
    assert (
        "name one, such as my_agent.py:graph, pass --config, or start where a langgraph.json is"
        in result.output
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "chat"], "write TARGET or NAME=TARGET"),
        (["--agent", "chat=nowhere"], "'nowhere' is not a valid target"),
        (["--agent", "chat=surely_missing:graph"], "The module 'surely_missing'"),
        (["--agent", "chat=sys:maxsize"], "The agent 'chat' cannot be served: int is not an agent"),
        (["--agent", "a=json:dumps", "--agent", "a=json:loads"], "'a' is given twice"),
        (["--agent", "a=http://127.0.0.1:1/", "--default-agent", "b"], "default agent 'b' is not registered"),
        (["--agent", "a=http://127.0.0.1:1/", "--endpoint", "api"], "'api' is not a valid path"),
        (["--agent", "a=http://127.0.0.1:1/", "--cors", "example.com"], "'example.com' is not an origin"),
        (["--agent", "a=http://127.0.0.1:1/", "--cors", "*", "--cors", "http://a"], "'*' stands alone"),
        (["--config", "absent.json"], "'absent.json' does not exist"),
        (["--agent", "a=http://127.0.0.1:1/", "--store", "mongodb://h"], "'mongodb' is not a kind of store"),
        (["--agent", "a=http://127.0.0.1:1/", "--store", "sqlite:////no/dir/t.db"], "directory /no/dir"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(arguments: list[str], message: str) -> None:
    result = run("serve", "--port", "0", *arguments)

    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [["serve", "--agent", "a=http://127.0.0.1:1/"], ["demo"]])
def test_a_taken_port_is_told_with_the_way_out(command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        result = run(*command, "--port", port)

    assert result.exit_code == 1
    assert (
        f"Port {port} on 127.0.0.1 is taken by another program. Choose another one with --port."
        in result.output
    )


def test_the_demo_takes_the_next_free_port_where_none_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # The agent cannot be loaded, so the command ends before it serves.
    monkeypatch.setattr("copilotkit_runtime_py.cli.demo.demo_agent", lambda: {"demo": "surely_missing:graph"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("copilotkit_runtime_py.cli.listener.DEFAULT_PORT", port)

        result = run("demo")

    assert f"Port {port} is taken: using " in result.output


def test_the_demo_without_langgraph_serves_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langgraph", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "langgraph" else name)

    assert demo_agent() == {"demo": "copilotkit_runtime_py.demo.function:agent"}


def test_a_plain_get_of_the_url_says_what_to_do_with_a_line_that_works(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--port", "0") as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        told = httpx.get(url)
        line = next(line for line in told.text.splitlines() if line.startswith("  curl "))
        words = shlex.split(line)
        run_line = httpx.post(words[2], content=words[-1], headers={"content-type": "application/json"})

    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    assert told.text.startswith("This is a CopilotKit runtime")
    assert f'runtimeUrl="{url}"' in told.text
    assert "Agents: demo" in told.text
    assert '"type":"RUN_FINISHED"' in run_line.text


def test_agents_are_positional_arguments_and_named_by_their_targets(tmp_path: Path) -> None:
    (tmp_path / "my_agent.py").write_text(AGENT.replace("agent(", "booking(") + AGENT)

    with started(
        tmp_path,
        "serve",
        "my_agent.py:agent",
        "my_agent.py:booking",
        "far=http://127.0.0.1:1/",
        "--port",
        "0",
    ) as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        info = httpx.get(f"{url}/info").json()

    assert banner[1] == "Agents: my_agent, booking, far (no default: a page names one)"
    assert banner[2] == f"Playground: open {url} in a browser"
    assert list(info["agents"]) == ["my_agent", "booking", "far"]


def test_an_agent_on_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPILOTKIT_AGENTS", "a=http://127.0.0.1:1/")

    assert [row["name"] for row in json.loads(run("agents", "--json").stdout)] == ["a"]
    named = run("agents", "--json", "http://127.0.0.1:1/far")
    assert [row["name"] for row in json.loads(named.stdout)] == ["far"]


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "copilotkit_runtime_py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    assert done.stdout.startswith("Usage: python -m copilotkit_runtime_py [OPTIONS] COMMAND")


def help_texts(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    yield path, run(*path, "--help").output
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from help_texts(found, *path, name)


def test_every_help_text_is_whole_and_every_command_has_an_example() -> None:
    for path, text in help_texts(cli):
        assert "..." not in re.sub(r"(\[?[A-Z]+\]?)\.\.\.", r"\1", text), path
        if path and path != ("threads",):
            assert f"copilotkit-runtime-py {' '.join(path)}" in text, path


def test_serve_answers_at_the_address_that_it_prints(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)

    with started(
        tmp_path, "serve", "--port", "0", "--agent", "chat=agent.py:agent", "--endpoint", "/ck"
    ) as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        answer = httpx.post(url, json={"query": "{ availableAgents { agents { name } } }"})
        root = httpx.get(httpx.URL(url).join("/"))

    assert httpx.URL(url).path == "/ck"
    assert answer.json() == {"data": {"availableAgents": {"agents": [{"name": "chat"}]}}}
    assert (root.status_code, root.headers["location"]) == (307, "/ck")


def test_serve_takes_the_langgraph_json_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "graph.py").write_text(
        "from langgraph.graph import MessagesState, StateGraph\n"
        "builder = StateGraph(MessagesState).add_node('reply', lambda state: {})\n"
        "graph = builder.add_edge('__start__', 'reply').compile()\n"
    )
    (tmp_path / "langgraph.json").write_text(
        json.dumps(
            {"dependencies": ["."], "graphs": {"first": "./graph.py:graph", "second": "./graph.py:graph"}}
        )
    )

    with started(tmp_path, "serve", "--port", "0") as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        answer = httpx.post(url, json={"query": "{ availableAgents { agents { name } } }"})

    assert answer.json() == {"data": {"availableAgents": {"agents": [{"name": "first"}, {"name": "second"}]}}}


def test_serve_with_reload_answers_with_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)

    with started(tmp_path, "serve", "--port", "0", "--agent", "chat=agent.py:agent", "--reload") as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            answer = client.post(url, json={"query": "{ availableAgents { agents { name } } }"}, timeout=30)

    assert answer.json() == {"data": {"availableAgents": {"agents": [{"name": "chat"}]}}}


def test_the_demos_curl_line_streams_a_reply(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")

    with started(tmp_path, "demo", "--port", "0") as banner:
        line = next(line for line in banner if line.startswith("curl "))
        answer = subprocess.run(
            [curl, "--silent", "--show-error", "--include", *shlex.split(line)[1:]],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    assert "content-type: text/event-stream" in answer.lower()
    assert answer.count('data: {"type":"TEXT_MESSAGE_CONTENT"') > 5
    assert answer.rstrip().rpartition("data: ")[2].startswith('{"type":"RUN_FINISHED"')
    assert len(line) < 250


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_only_a_host_that_others_reach_gets_the_warning(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    # The agent cannot be loaded, so the command ends before it serves.
    result = run("serve", "--host", host, "--port", "0", "--agent", "chat=missing.py:agent")

    assert ("there is no authentication" in result.output) is (host == "0.0.0.0")


@pytest.mark.parametrize("url", ["http://user:s3cret@127.0.0.1:1/", "http://127.0.0.1:1/?key=s3cret"])
def test_a_url_with_a_secret_is_not_printed(url: str) -> None:
    result = run("serve", "--port", "0", "--agent", f"a={url}", "--default-agent", "b")

    assert result.exit_code == 1
    assert "s3cret" not in result.output


SERVE = ("serve", "--port", "0", "--agent", "a=http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ((), "Threads are stored in {directory}/.copilotkit/threads.db. Use --store memory to store none."),
        (("--store", "memory"), "Threads are stored in memory: they are lost when the server stops."),
        (
            ("--store", "sqlite:///own.db"),
            "Threads are stored in {directory}/own.db. Use --store memory to store none.",
        ),
        (
            ("--store", "postgresql://me:s3cret@127.0.0.1:1/threads?sslmode=require"),
            "Threads are stored at postgresql://127.0.0.1:1/threads.",
        ),
    ],
)
def test_the_banner_says_where_threads_are_stored(store: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with started(tmp_path, *SERVE, *store) as banner:
        assert banner[3] == told.format(directory=tmp_path)


def test_the_file_of_the_threads_is_kept_out_of_git(tmp_path: Path) -> None:
    with started(tmp_path, *SERVE):
        assert (tmp_path / ".copilotkit" / ".gitignore").read_text() == "*\n"


def test_a_directory_that_cannot_keep_threads_is_told_with_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".copilotkit").touch()

    result = run(*SERVE)

    assert result.exit_code == 1
    assert f"Threads cannot be stored in {tmp_path}/.copilotkit: " in result.output
    assert "--store memory" in result.output


@pytest.mark.parametrize("store", ["memory", "sqlite:///threads.db"])
def test_several_workers_need_a_store_that_they_share(store: str, tmp_path: Path) -> None:
    result = run(*SERVE, "--workers", "2", "--store", store)

    assert result.exit_code == 2
    assert "Several workers need a store" in result.output


def test_a_reload_serves_with_one_worker() -> None:
    result = run(*SERVE, "--workers", "2", "--reload", "--store", "redis://127.0.0.1:1/0")

    assert result.exit_code == 2
    assert "--reload serves with one process" in result.output


def test_workers_whose_agent_cannot_be_loaded_do_not_start() -> None:
    arguments = ("--agent", "b=missing.py:agent", "--workers", "2", "--store", "redis://127.0.0.1:1/0")

    result = run(*SERVE, *arguments)

    assert result.exit_code == 1
    assert "does not exist" in result.output


@pytest.mark.redis
def test_workers_answer_at_the_address_of_the_banner(tmp_path: Path, redis_url: str) -> None:
    with started(tmp_path, *SERVE, "--workers", "2", "--store", redis_url) as banner:
        url = banner[0].removeprefix("CopilotKit runtime: ")
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            answer = client.post(url, json={"query": "{ availableAgents { agents { name } } }"}, timeout=30)

    assert answer.json() == {"data": {"availableAgents": {"agents": [{"name": "a"}]}}}


def test_an_idle_connection_is_kept_longer_than_proxies_keep_it(tmp_path: Path) -> None:
    with started(tmp_path, *SERVE) as banner:
        answer = httpx.get(banner[0].removeprefix("CopilotKit runtime: ") + "/info")

    assert answer.headers["keep-alive"] == "timeout=75"


def test_all_that_is_logged_as_json_is_json(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "copilotkit_runtime_py", *SERVE, "--log-format", "json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["message"].startswith("CopilotKit runtime: "):
                url = lines[-1]["message"].removeprefix("CopilotKit runtime: ")
                httpx.get(f"{url}/info?token=s3cret")
                httpx.get(url.replace("/api/copilotkit", "/readyz"))
                process.terminate()

    assert process.returncode == 0
    (access,) = [line for line in lines if line["logger"] == "copilotkit_runtime_py.access"]
    assert access["method"] == "GET"
    assert access["path"] == "/api/copilotkit/info"
    assert access["status"] == 200
    assert access["durationMs"] > 0


def test_a_variable_that_is_no_setting_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COPILOTKIT_STOER", "memory")

    result = run("serve", "--port", "0", "--agent", "chat=missing.py:agent")

    assert "WARNING: COPILOTKIT_STOER is not a setting, and has no effect." in result.output
