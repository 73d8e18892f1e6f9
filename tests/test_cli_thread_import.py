"""`threads import`: what only a checkpointer or a LangGraph server knows gets into the list."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import HumanMessage

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.cli import cli
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph.registry import load_config
from copilotkit_runtime_py.state_store.base import ThreadRecord
from copilotkit_runtime_py.state_store.from_url import open_state_store

AGENT = """
import aiosqlite
from contextlib import asynccontextmanager
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

async def answer(state):
    last = state["messages"][-1].content
    return {"messages": [("ai", interrupt("Sure?") if last == "ask" else f"You said {last}")]}

builder = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer")

@asynccontextmanager
async def graph():
    async with aiosqlite.connect("checkpoints.db") as connection:
        yield builder.compile(checkpointer=AsyncSqliteSaver(connection))

def describe(thread):
    first = thread.snapshot.messages[0]["content"]
    if first == "left out":
        return None
    return (None, None) if first == "as it is" else ("alice", f"About {first}")

async def fails(thread):
    if thread.snapshot.messages[0]["content"] == "two":
        raise ValueError("what is this?")
    return "alice", None
"""
Said = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"chat": "./agent.py:graph"}}')
    return tmp_path


@pytest.fixture
def remember(folder: Path) -> Callable[..., Said]:
    """Has conversations with the graph that the runtime does not see. Returns what was said, by thread."""

    def have(*texts: str, owner: str | None = None) -> Said:
        threads = {f"{text}-{uuid.uuid4()}": text for text in texts}

        async def talk() -> None:
            namespace: dict[str, Any] = {}
            exec(AGENT, namespace)
            async with namespace["graph"]() as graph:
                for id, text in threads.items():
                    configurable = {"thread_id": id, **({"langgraph_auth_user_id": owner} if owner else {})}
                    messages = [HumanMessage(text, id="u1")]
                    await graph.ainvoke({"messages": messages}, {"configurable": configurable})

        asyncio.run(talk())
        return threads

    return have


def imported(*options: str) -> Result:
    return CliRunner().invoke(cli, ["threads", "import", "--agent", "chat", *options])


def test_an_imported_thread_has_the_times_of_the_original(remember: Callable[..., Said]) -> None:
    before = datetime.now(UTC)
    remember("one")
    after = datetime.now(UTC)
    imported()

    async def read() -> list[ThreadRecord]:
        store = open_state_store("sqlite:///.copilotkit/threads.db")
        try:
            return await store.list_threads("anonymous")
        finally:
            await store.aclose()

    (thread,) = asyncio.run(read())
    assert before <= thread.created_at <= thread.last_run_at == thread.updated_at <= after


def listed(owner: str) -> dict[str, str | None]:
    async def read() -> dict[str, str | None]:
        store = open_state_store("sqlite:///.copilotkit/threads.db")
        try:
            return {thread.id: thread.name for thread in await store.list_threads(owner)}
        finally:
            await store.aclose()

    return asyncio.run(read())


def test_threads_go_to_the_owner_on_record_or_to_the_one_named(remember: Callable[..., Said]) -> None:
    bobs, nobodys = remember("one", owner="bob"), remember("two", "three")

    result = imported("--owner", "carol")

    assert (result.exit_code, result.stdout) == (0, "chat: 3 imported.\n")
    assert listed("bob") == bobs
    assert listed("carol") == nobodys
    assert listed("anonymous") == {}


def test_a_function_decides_on_owner_and_name(remember: Callable[..., Said]) -> None:
    threads = remember("one", "left out", "as it is")

    result = imported("--describe", "agent.py:describe")

    assert result.exit_code == 0
    assert sorted(result.stdout.removeprefix("chat: ").removesuffix(".\n").split(", ")) == [
        "1 left out",
        "2 imported",
    ]
    ids = {text: id for id, text in threads.items()}
    assert listed("alice") == {ids["one"]: "About one"}
    assert listed("anonymous") == {ids["as it is"]: "as it is"}


def test_an_import_may_be_repeated(remember: Callable[..., Said]) -> None:
    remember("one", "two")
    imported("--owner", "alice")
    before = listed("alice")
    later = remember("three")

    result = imported("--owner", "bob")

    assert result.stdout == "chat: 1 imported, 2 there already.\n" or result.stdout == (
        "chat: 2 there already, 1 imported.\n"
    )
    assert listed("alice") == before
    assert listed("bob") == later


def test_a_thread_that_fails_is_named_and_the_others_are_imported(remember: Callable[..., Said]) -> None:
    threads = remember("one", "two", "three")

    result = imported("--describe", "agent.py:fails")

    (failed,) = [id for id, text in threads.items() if text == "two"]
    assert result.exit_code == 1
    assert f"{failed}: ValueError: what is this?" in result.stderr
    assert listed("alice").keys() == threads.keys() - {failed}


@pytest.mark.parametrize("text", ["hello", "ask"])
def test_an_imported_thread_is_shown_and_goes_on(remember: Callable[..., Said], text: str) -> None:
    (id,) = remember(text)
    imported()

    async def look() -> tuple[Any, Any]:
        agents = load_config(Path("langgraph.json"))
        runtime = CopilotRuntime(agents, state_store="sqlite:///.copilotkit/threads.db")
        try:
            connection = await runtime.connect("chat", id, RequestContext())
            return connection, await runtime.load_agent_state("chat", id, RequestContext())
        finally:
            await runtime.aclose()

    connection, state = asyncio.run(look())
    (log,) = connection.logs
    assert (log.run.id, log.ended) == ("imported", True)
    answer = [] if text == "ask" else ["You said hello"]
    assert [message["content"] for message in state.messages] == [text, *answer]
    assert [interrupt["message"] for interrupt in state.interrupts] == ["Sure?"] * (text == "ask")


def test_an_unknown_agent_and_a_store_in_memory_are_refused(folder: Path) -> None:
    runner = CliRunner()

    unknown = runner.invoke(cli, ["threads", "import", "--agent", "nobody"])
    memory = imported("--store", "memory")

    assert (unknown.exit_code, memory.exit_code) == (2, 2)
    assert "The agent 'nobody' is not known. Write NAME=TARGET" in unknown.stderr
    assert "Threads in memory end with the process" in memory.stderr
