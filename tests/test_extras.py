"""Each extra alone, in a fresh environment with the newest packages, serves a run that needs it.

The lock file does not apply here: what a user installs today does.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.langgraph_server import LangGraphDev
from tests.mcp_server import make_server
from tests.mcp_server import served as served_app
from tests.servers import Postgres, Redis
from tests.test_examples import spoken, told
from tests.test_packaging import ROOT, environment

pytestmark = [pytest.mark.extras, pytest.mark.timeout(900)]

FUNCTION = """
    async def agent(input):
        said = [message.content for message in input.messages if message.role == "user"]
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": input.run_id, "delta": " ".join(said)}
"""
GRAPH = """
    from langchain_core.messages import AIMessage
    from langgraph.graph import START, MessagesState, StateGraph

    async def answer(state: MessagesState):
        said = [message.text for message in state["messages"] if message.type == "human"]
        return {"messages": [AIMessage(" ".join(said))]}

    agent = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()
"""
FLOW = """
    from copilotkit_runtime_py.providers.crewai import CopilotKitState
    from crewai.flow.flow import Flow, start

    class agent(Flow[CopilotKitState]):
        @start()
        async def answer(self):
            said = [message["content"] for message in self.state.messages if message["role"] == "user"]
            self.state.messages.append({"role": "assistant", "content": " ".join(said)})
"""
MODEL = """
    from langchain_core.language_models import FakeListChatModel

    agent = FakeListChatModel(responses=["one", "two"])
"""
MCP = """
    import os
    from copilotkit_runtime_py import CopilotRuntime, MCPServer, create_router
    from fastapi import FastAPI

    async def agent(input):
        last = input.messages[-1]
        if last.role == "tool":
            yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m" + input.run_id, "delta": last.content}
        elif any(tool.name == "add" for tool in input.tools):
            call = {"toolCallId": "c" + input.run_id, "toolCallName": "add", "delta": '{"a": 2, "b": 40}'}
            yield {"type": "TOOL_CALL_CHUNK", **call}

    servers = [MCPServer("test", url=os.environ["MCP_URL"])]
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime({"default": agent}, mcp_servers=servers)))
"""


@contextmanager
def no_service() -> Iterator[str]:
    yield ""


@contextmanager
def an_mcp_server() -> Iterator[str]:
    with served_app(make_server().streamable_http_app()) as port:
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def an_a2a_agent() -> Iterator[str]:
    from tests.providers.a2a.server import a2a_server

    with a2a_server() as server:
        yield server.url


@contextmanager
def a_langgraph_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        graph = Path(directory) / "graph.py"
        graph.write_text(textwrap.dedent(GRAPH), encoding="utf-8")
        with LangGraphDev({"echo": f"{graph}:agent"}) as server:
            yield f"{server.url}/echo"


@contextmanager
def postgres() -> Iterator[str]:
    with Postgres() as server:
        yield server.url


@contextmanager
def redis() -> Iterator[str]:
    with Redis() as server:
        yield server.url


@dataclass(frozen=True)
class Case:
    """An extra, and what it is for.

    Attributes:
        agent: the source of a file with an `agent` or an `app`, or what `--agent` gets, with `{service}`.
        service: what the agent or the store needs.
        store: the store, with `{service}`.
        answers: to "one", and then to "two" on the same thread.
    """

    agent: str = FUNCTION
    service: Callable[[], AbstractContextManager[str]] = no_service
    store: str = "memory"
    answers: tuple[str, str] = ("one", "two")


REMEMBERED = ("one", "one two")
CASES = {
    "": Case(store="sqlite:///threads.db"),
    # Only a graph remembers what was said before.
    "langgraph": Case(GRAPH, store="sqlite:///threads.db", answers=REMEMBERED),
    "langgraph-redis": Case(GRAPH, redis, "{service}", REMEMBERED),
    "langgraph,postgres": Case(GRAPH, postgres, "{service}", REMEMBERED),
    "crewai": Case(FLOW),
    "chat": Case(MODEL),
    "postgres": Case(service=postgres, store="{service}"),
    "redis": Case(service=redis, store="{service}"),
    "otel": Case(),
    "mcp": Case(MCP, an_mcp_server, answers=("42", "42")),
    "a2a": Case("a2a+{service}", an_a2a_agent, answers=("you said one", "you said two")),
    "langgraph-platform": Case("langgraph+{service}", a_langgraph_server, answers=REMEMBERED),
}


def requirement(extras: str) -> str:
    return f"{ROOT}[{extras}]" if extras else str(ROOT)


@contextmanager
def serving(bin: Path, directory: Path, case: Case, service: str) -> Iterator[httpx.Client]:
    """Serves a case's agent, and yields a client of it."""
    target = case.agent.format(service=service) if "\n" not in case.agent else "file.py:agent"
    if "\n" in case.agent:
        (directory / "file.py").write_text(textwrap.dedent(case.agent), encoding="utf-8")
    command = [str(bin / "copilotkit-runtime-py"), "serve", "--port", "0", "--agent", f"default={target}"]
    command += ["--store", case.store.format(service=service)]
    ready = "/api/copilotkit"
    if "app = " in case.agent:
        command, ready = [str(bin / "uvicorn"), "file:app", "--port", "0"], "Uvicorn running on "
    log = directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdout=output,
            stderr=output,
            env=plain(MCP_URL=service, PYTHONUNBUFFERED="1"),
        )
    try:
        while ready not in log.read_text():
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(log.read_text())
        [address] = [
            word
            for line in log.read_text().splitlines()
            if ready in line
            for word in line.split()
            if "://" in word
        ][:1]
        with httpx.Client(base_url=address.removesuffix("/api/copilotkit"), timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def plain(**more: str) -> dict[str, str]:
    """An environment of a process without this one's settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "OTEL_SDK_DISABLED": "true",
        **more,
    }


def answers(bin: Path, directory: Path, case: Case) -> tuple[str, str]:
    with case.service() as service, serving(bin, directory, case, service) as client:
        return (
            spoken(told(client, "one", thread="t1")),
            spoken(told(client, "two", thread="t1")),
        )


@pytest.mark.parametrize("extra", CASES, ids=lambda extra: extra or "none")
def test_an_extra_alone_serves_what_it_is_for(extra: str, tmp_path: Path) -> None:
    case = CASES[extra]
    bin = environment(tmp_path / "venv", requirement(extra))

    assert answers(bin, tmp_path, case) == case.answers


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with all extras."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = ",".join(declared["project"]["optional-dependencies"])
    assert {each for case in CASES for each in case.split(",") if each} == set(extras.split(","))
    return environment(tmp_path_factory.mktemp("every") / "venv", requirement(extras))


@pytest.mark.parametrize("extra", CASES, ids=lambda extra: extra or "none")
def test_all_extras_together_serve_what_each_is_for(extra: str, everything: Path, tmp_path: Path) -> None:
    assert answers(everything, tmp_path, CASES[extra]) == CASES[extra].answers


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without extras."""
    return environment(tmp_path_factory.mktemp("core") / "venv", requirement(""))


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ("postgres", ["--agent", "a=file.py:agent", "--store", "postgresql://127.0.0.1:1/x"]),
        ("redis", ["--agent", "a=file.py:agent", "--store", "redis://127.0.0.1:1/0"]),
        ("a2a", ["--agent", "a=a2a+http://127.0.0.1:1"]),
        ("langgraph-platform", ["--agent", "a=langgraph+http://127.0.0.1:1/graph"]),
        ("chat", ["--agent", "a=openai:gpt-5"]),
        ("langgraph", ["--agent", "a=graph.py:agent"]),
        ("crewai", ["--agent", "a=flow.py:agent"]),
        ("mcp", ["--agent", "a=mcp_app.py:agent"]),
    ],
)
def test_without_the_extra_one_line_names_it(
    extra: str, options: list[str], core: Path, tmp_path: Path
) -> None:
    for name, source in {"file": FUNCTION, "graph": GRAPH, "flow": FLOW, "mcp_app": MCP}.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")

    assert_refused(core, tmp_path, options, f"pip install 'copilotkit-runtime-py[{extra}]'")


def test_a_driver_of_postgresql_without_its_library_is_named(tmp_path: Path) -> None:
    bin = environment(tmp_path / "venv", requirement("langgraph"))
    (tmp_path / "file.py").write_text(textwrap.dedent(FUNCTION), encoding="utf-8")
    options = ["--agent", "a=file.py:agent", "--store", "postgresql://127.0.0.1:1/x"]

    # The saver of LangGraph brings psycopg, but not the C library that it needs, nor that library's wheel.
    advice = "pip install 'copilotkit-runtime-py[postgres]'"
    assert_refused(bin, tmp_path, options, advice, PSYCOPG_IMPL="binary")


def assert_refused(bin: Path, directory: Path, options: list[str], advice: str, **more: str) -> None:
    command = [str(bin / "copilotkit-runtime-py"), "serve", "--port", "0", *options]
    environment = plain(MCP_URL="http://127.0.0.1:1", **more)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)

    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    [error] = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert advice in error
