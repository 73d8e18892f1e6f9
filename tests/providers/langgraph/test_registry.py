import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.providers.langgraph.memory import RecentThreads
from copilotkit_runtime_py.providers.langgraph.registry import load_config
from copilotkit_runtime_py.providers.target import TargetError, load_target
from tests.providers.emitted import collect, interrupts, messages, snapshots

from .scripted import request, user

pytestmark = pytest.mark.anyio

GRAPH = """
import os
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict):
    answer: str

def building(answer):
    builder = StateGraph(State)
    builder.add_node("work", lambda state: {"answer": answer})
    builder.add_edge(START, "work")
    return builder
"""


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def project(tmp_path: Path, code: str, graphs: dict[str, Any], **config: Any) -> Path:
    (tmp_path / "agent.py").write_text(GRAPH + code)
    file = tmp_path / "langgraph.json"
    file.write_text(json.dumps({"dependencies": ["."], "graphs": graphs, **config}))
    return file


async def answers(file: Path, context: RequestContext | None = None) -> dict[str, Any]:
    providers = load_config(file)
    return {
        name: snapshots(await collect(provider, request(), context))[-1]["answer"]
        for name, provider in providers.items()
    }


async def test_every_graph_is_an_agent_with_its_description(tmp_path: Path) -> None:
    code = "graph = building('one').compile()\nbuilder = building('two')"
    graphs = {
        "first": "./agent.py:graph",
        "second": {"path": "agent.py:builder", "description": "Knows two."},
    }
    file = project(tmp_path, code, graphs)

    assert await answers(file) == {"first": "one", "second": "two"}
    assert [provider.description for provider in load_config(file).values()] == ["", "Knows two."]


async def test_graphs_may_be_made_for_each_run_in_all_the_ways_that_langgraph_knows(tmp_path: Path) -> None:
    code = """
from contextlib import asynccontextmanager
from langchain_core.runnables import RunnableConfig
from copilotkit_runtime_py.context import RequestContext

def plain():
    return building("plain").compile()

async def with_config(config: RunnableConfig):
    return building(config["configurable"]["tenant"]).compile()

@asynccontextmanager
async def opened(config):
    yield building("opened").compile()

def with_context(context: RequestContext):
    return building(context.owner)
"""
    names = ["plain", "with_config", "opened", "with_context"]
    file = project(tmp_path, code, {name: f"./agent.py:{name}" for name in names})

    found = await answers(file, RequestContext(owner="ada", properties={"tenant": "acme"}))

    assert found == {"plain": "plain", "with_config": "acme", "opened": "opened", "with_context": "ada"}


async def test_a_function_may_take_langgraphs_server_runtime(tmp_path: Path) -> None:
    code = """
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from langgraph_sdk.runtime import ServerRuntime

made = []

def told(config, runtime):
    made.append(runtime.access_context)
    user = runtime.ensure_user()
    return building(f"{config['configurable']['tenant']} {user.identity} {user['display_name']}")

def both(config: dict, runtime: ServerRuntime):
    return told(config, runtime)

def reversed(runtime: ServerRuntime[None], config):
    return told(config, runtime)

@asynccontextmanager
async def alone(runtime: ServerRuntime):
    await runtime.store.aput(("words",), "key", {"word": "stored"})
    yield building((await runtime.store.aget(("words",), "key")).value["word"]).compile()
"""
    names = ["both", "reversed", "alone"]
    file = project(tmp_path, "", {name: f"./agent.py:{name}" for name in names})
    (tmp_path / "agent.py").write_text("from __future__ import annotations\n" + GRAPH + code)
    context = RequestContext(owner="ada", properties={"tenant": "acme"})

    assert await answers(file, context) == {
        "both": "acme ada ada",
        "reversed": "acme ada ada",
        "alone": "stored",
    }
    await load_config(file)["both"].snapshot("t", context)
    made = load_target("agent.py:made", tmp_path)
    assert made == ["threads.create_run", "threads.create_run", "threads.read"]


async def test_graphs_share_a_store_with_the_index_of_the_file(tmp_path: Path) -> None:
    code = """
from langgraph.config import get_store

def embed(texts):
    return [[float("milk" in text), 1.0] for text in texts]

async def put(state):
    for word in ("bread", "milk"):
        await get_store().aput(("items",), word, {"text": word})
    return {"answer": "put"}

async def get(state):
    found = await get_store().asearch(("items",), query="milk", limit=1)
    return {"answer": found[0].value["text"]}

first = StateGraph(State).add_node("put", put).add_edge(START, "put").compile()
second = StateGraph(State).add_node("get", get).add_edge(START, "get")
"""
    file = project(
        tmp_path,
        code,
        {"first": "./agent.py:first", "second": "./agent.py:second"},
        store={"index": {"embed": "./agent.py:embed", "dims": 2}},
    )

    assert await answers(file) == {"first": "put", "second": "milk"}


async def test_headers_that_the_file_includes_are_in_the_configuration(tmp_path: Path) -> None:
    code = """
def look(state, config):
    found = {k: v for k, v in config["configurable"].items() if k.startswith("x-")}
    return {"answer": str(sorted(found.items()))}

graph = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()

def make(config):
    return building(str(config["configurable"].get("x-tenant")))
"""
    file = project(
        tmp_path,
        code,
        {"graph": "./agent.py:graph", "make": "./agent.py:make"},
        http={"configurable_headers": {"includes": ["X-*"], "excludes": ["x-secret"]}},
    )
    headers = {"x-tenant": "acme", "x-secret": "s", "authorization": "a"}

    found = await answers(file, RequestContext(headers=headers))

    assert found == {"graph": "[('x-tenant', 'acme')]", "make": "acme"}


async def test_a_missing_env_file_and_unused_settings_are_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = project(
        tmp_path,
        "graph = building('one')",
        {"a": "./agent.py:graph"},
        env=".env",
        auth={"disable_studio_auth": True},
        checkpointer={"path": "./agent.py:saver"},
    )

    assert await answers(file) == {"a": "one"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{file} sets checkpointer.path, which this server does not use",
        f"there is no env file {tmp_path / '.env'}",
    ]


async def test_local_dependencies_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "src" / "my_words").mkdir(parents=True)
    (tmp_path / "src" / "my_words" / "__init__.py").write_text("WORD = 'found'")
    code = "from my_words import WORD\ngraph = building(WORD).compile()"
    file = project(tmp_path, code, {"agent": "./agent.py:graph"}, dependencies=["langchain_openai", "./src"])

    assert await answers(file) == {"agent": "found"}


@pytest.mark.parametrize("env", [".env", {"WORD_A": "a", "WORD_B": "b"}], ids=["file", "mapping"])
async def test_the_environment_is_there_before_the_import_and_does_not_override(
    tmp_path: Path, env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD_B", "set before")
    (tmp_path / ".env").write_text("WORD_A=a\nWORD_B=b\n")
    code = "graph = building(os.environ['WORD_A'] + ' ' + os.environ['WORD_B']).compile()"

    assert await answers(project(tmp_path, code, {"agent": "./agent.py:graph"}, env=env)) == {
        "agent": "a set before"
    }


async def test_a_graph_without_a_checkpointer_gets_one_so_that_it_can_ask(tmp_path: Path) -> None:
    code = """
from langgraph.types import interrupt
builder = StateGraph(State)
builder.add_node("ask", lambda state: {"answer": interrupt("Sure?")})
builder.add_edge(START, "ask")
graph = builder.compile()
make = lambda: builder.compile()
"""
    file = project(tmp_path, code, {"graph": "./agent.py:graph", "make": "./agent.py:make"})

    for provider in load_config(file).values():
        assert len(interrupts(await collect(provider, request()))) == 1
        events = await collect(provider, request(forwardedProps={"command": {"resume": "yes"}}))
        assert snapshots(events)[-1] == {"answer": "yes"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "names no graphs"),
        ('{"graphs": {"a": {}}}', "The graph 'a' has no path"),
        ('{"graphs": {"a": "./none.py:graph"}}', "does not exist"),
        ('{"graphs": {"a": "./agent.py:State.missing"}}', "has no attribute"),
        (
            '{"graphs": {"a": "./agent.py:START"}}',
            "The graph 'a' cannot be served: Expected a LangGraph graph",
        ),
        (
            '{"graphs": {"a": "./agent.py:building"}, "auth": {"path": "./auth.py:auth"}}',
            "sets auth.path, which this server does not run: authenticate in the application",
        ),
        (
            '{"graphs": {"a": "./agent.py:building"}, "http": {"app": "./app.py:app"}}',
            "sets http.app, which this server does not run: mount `create_router`",
        ),
        (
            '{"graphs": {"a": "./agent.py:other"}}',
            "The graph 'a' cannot be served: A function that makes a graph takes .*'b' is another parameter",
        ),
        (
            '{"graphs": {"a": "./agent.py:building"}, "store": {"index": {"embed": "./agent.py:none"}}}',
            "has no attribute 'none'",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = project(tmp_path, "def other(a, b): ...", {})
    file.write_text(content)

    with pytest.raises(TargetError, match=message):
        load_config(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot be read: No such file"):
        load_config(tmp_path / "langgraph.json")


async def test_the_given_memory_forgets_the_thread_that_was_used_longest_ago() -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("listen", lambda state: {})
    builder.add_edge(START, "listen")
    provider = LangGraphProvider(builder, checkpointer=RecentThreads(max_threads=2))

    for index, thread in enumerate(["a", "b", "a", "c"]):
        events = await collect(provider, request(user(thread, f"u{index}"), thread=thread))

    assert [message["content"] for message in messages(events)] == ["c"]
    known = [await provider.snapshot(thread, RequestContext()) is not None for thread in "abc"]
    assert known == [True, False, True]
