import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Header
from starlette.testclient import TestClient

from copilotkit_runtime_py import CopilotRuntime, create_router, open_state_store
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import StoreUnavailableError
from copilotkit_runtime_py.state_store.base import RunRecord
from copilotkit_runtime_py.state_store.sql.store import SQLStateStore
from tests.test_cli import run

GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph

async def reply(state):
    return {"messages": [AIMessage(f"{len(state['messages'])} before this")]}

graph = StateGraph(MessagesState).add_node("reply", reply).add_edge("__start__", "reply").compile()
"""


async def greeter(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")
    yield events.text_content("m1", "Good ")
    yield events.text_content("m1", "morning")
    yield events.text_end("m1")
    yield events.tool_call_start("c1", "paint", parent_message_id="m1")
    yield events.tool_call_args("c1", '{"color":"red"}')
    yield events.tool_call_end("c1")


async def caller(x_user: Annotated[str, Header()] = "anonymous") -> str:
    return x_user


def talk(
    url: str, *thread_ids: str, user: str = "anonymous", agent: Any = greeter, said: str = "hello"
) -> None:
    """Has an agent answer on each thread, and keeps that in a store."""
    runtime = CopilotRuntime(agents={"greeter": agent}, state_store=url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await runtime.aclose()

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(runtime, path="/ck", identify=caller))
    with TestClient(app, headers={"x-user": user}) as client:
        for thread_id in thread_ids:
            message = {"id": f"u-{thread_id}", "role": "user", "content": said}
            body = {"threadId": thread_id, "runId": f"r-{thread_id}", "messages": [message]}
            assert '"RUN_FINISHED"' in client.post("/ck/agent/greeter/run", json=body).text


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("COPILOTKIT_STORE", url)
    return url


def listed(*arguments: str) -> list[str]:
    return [thread["id"] for thread in json.loads(run("threads", "list", "--json", *arguments).output)]


def test_the_threads_of_an_owner_are_listed_the_latest_run_first(store: str) -> None:
    talk(store, "t1", "t2")
    talk(store, "t3", user="ada")

    output = run("threads", "list").output.splitlines()

    rows = [line.split()[-3:] for line in output[1:]]
    assert rows == [["t2", "greeter", "hello"], ["t1", "greeter", "hello"]]
    assert output[0].split() == ["LAST", "RUN", "ID", "AGENT", "TITLE"]
    assert listed("--owner", "ada") == ["t3"]
    assert listed("--limit", "1") == ["t2"]
    assert listed("--agent", "another") == []


def test_the_place_without_an_option_is_where_serve_and_demo_keep_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COPILOTKIT_STORE")
    (tmp_path / ".copilotkit").mkdir()
    talk(f"sqlite:///{tmp_path / '.copilotkit' / 'threads.db'}", "t1")

    assert listed() == ["t1"]


def test_an_owner_without_threads_is_told_that_there_are_others(store: str) -> None:
    talk(store, "t1", user="ada")

    assert "'anonymous' has no threads here. --owner names another user." in run("threads", "list").output


def test_a_thread_is_shown_as_a_conversation(store: str) -> None:
    talk(store, "t1")

    lines = run("threads", "show", "t1").output.splitlines()

    assert lines[0] == "hello"
    assert lines[1].startswith("greeter, 1 run, last run ")
    assert lines[3:] == ["user: hello", 'assistant: Good morning paint({"color":"red"})']


def test_a_thread_is_exported_as_a_recording(store: str, tmp_path: Path) -> None:
    talk(store, "t1")

    printed = run("threads", "export", "t1").output
    written = run("threads", "export", "t1", "--output", "t1.jsonl")

    assert written.exit_code == 0
    assert (tmp_path / "t1.jsonl").read_text() == printed
    header, about, *told = map(json.loads, printed.splitlines())
    assert header == {
        "type": "RECORDING",
        "version": 1,
        "thread": {"id": "t1", "name": None, "updatedAt": header["thread"]["updatedAt"]},
    }
    assert about == {"type": "RUN", "id": "r-t1", "agent": "greeter", "startedAt": about["startedAt"]}
    assert [event["type"] for event in told] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "RUN_FINISHED",
    ]


async def talkative(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")
    for delta in ("The key is sk-", "proj-12345", "67890abcdef", ", and that is", " all."):
        yield events.text_content("m1", delta)
    yield events.text_end("m1")
    yield events.tool_call_start("c1", "log_in")
    for delta in ('{"pass', 'word": "hun', 'ter2hunter2", "user": "ada"}'):
        yield events.tool_call_args("c1", delta)
    yield events.tool_call_end("c1")
    yield events.state_snapshot({"api_key": "1234567890", "note": "postgresql://ada:hunter2@db/x"})
    yield events.custom("token", {"authorization": "Bearer abc.def"})


def test_an_export_holds_no_credentials_not_even_those_that_came_in_pieces(store: str) -> None:
    talk(store, "t1", agent=talkative)

    told = [json.loads(line) for line in run("threads", "export", "t1").output.splitlines()[2:]]

    assert [event["delta"] for event in told if event["type"] == "TEXT_MESSAGE_CONTENT"] == [
        "The key is sk-",
        "***, and t",
        "hat is all.",
    ]
    assert "".join(event["delta"] for event in told if event["type"] == "TOOL_CALL_ARGS") == (
        '{"password": "***", "user": "ada"}'
    )
    (snapshot,) = [event["snapshot"] for event in told if event["type"] == "STATE_SNAPSHOT"]
    assert snapshot == {"api_key": "***", "note": "postgresql://ada:***@db/x"}
    (custom,) = [event["value"] for event in told if event["type"] == "CUSTOM"]
    assert custom == {"authorization": "***"}


def test_neither_a_title_nor_a_name_exports_a_part_of_a_key(store: str) -> None:
    key = f"sk-proj-{'12345abcde' * 6}"
    talk(store, "titled", "named", said=f"Please use this key of mine from now on: {key}")
    with sqlite3.connect(store.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE copilotkit_threads SET name = ? WHERE id = 'named'", [f"With {key}"])

    headers = [json.loads(run("threads", "export", id).output.splitlines()[0]) for id in ("titled", "named")]

    assert [header["thread"]["name"] for header in headers] == [None, "With sk-***"]


def test_a_recording_is_imported_once_and_is_the_thread_that_it_was(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(store, "t1")
    run("threads", "export", "t1", "--output", "t1.jsonl")
    monkeypatch.setenv("COPILOTKIT_STORE", f"sqlite:///{tmp_path / 'other.db'}")

    first = run("threads", "import", "t1.jsonl", "--owner", "ada")
    again = run("threads", "import", "t1.jsonl")

    assert first.output == "t1.jsonl: imported as t1.\n"
    assert again.output == "t1.jsonl: there already as t1.\n"
    assert run("threads", "export", "t1", "--owner", "ada").output == (tmp_path / "t1.jsonl").read_text()
    shown = run("threads", "show", "t1", "--owner", "ada").output
    monkeypatch.setenv("COPILOTKIT_STORE", store)
    assert shown == run("threads", "show", "t1").output
    assert len(listed()) == 1


def test_an_import_that_was_cut_off_is_completed(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(store, "t1")
    talk(store, "t1", agent=talkative)
    run("threads", "export", "t1", "--output", "t1.jsonl")
    monkeypatch.setenv("COPILOTKIT_STORE", f"sqlite:///{tmp_path / 'other.db'}")
    append = SQLStateStore.append

    async def fails(self: SQLStateStore, run: RunRecord, *given: Any, **named: Any) -> Any:
        if run.number == 2:
            raise StoreUnavailableError
        return await append(self, run, *given, **named)

    with monkeypatch.context() as broken:
        broken.setattr(SQLStateStore, "append", fails)
        assert run("threads", "import", "t1.jsonl").exit_code == 1
    assert run("threads", "import", "t1.jsonl").output == "t1.jsonl: imported as t1.\n"
    assert run("threads", "export", "t1").output == (tmp_path / "t1.jsonl").read_text()


def test_an_import_names_recordings_or_agents_and_not_both(store: str, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("[]")

    assert "Name either recordings" in run("threads", "import").output
    assert "Name either recordings" in run("threads", "import", "a.jsonl", "--agent", "chat").output
    assert "bad.jsonl, line 1: malformed" in run("threads", "import", "bad.jsonl").output
    assert "none.jsonl cannot be read: No such file" in run("threads", "import", "none.jsonl").output


def test_an_export_overwrites_nothing(store: str, tmp_path: Path) -> None:
    talk(store, "t1")
    (tmp_path / "t1.json").write_text("mine")

    result = run("threads", "export", "t1", "--output", "t1.json")

    assert result.exit_code == 1
    assert "t1.json cannot be written: File exists." in result.output
    assert (tmp_path / "t1.json").read_text() == "mine"


def test_threads_are_deleted_once_that_is_confirmed(store: str) -> None:
    talk(store, "t1", "t2")

    refused = run("threads", "delete", "t1")
    deleted = run("threads", "delete", "t1", "t2", "--yes")

    assert "Permanently delete t1 (hello), owned by 'anonymous'? [y/N]" in refused.output
    assert refused.exit_code == 1
    assert "Deleted t1.\nDeleted t2.\n" in deleted.output
    assert "What an agent itself remembers stays" in deleted.output
    assert listed() == []


def test_what_an_agent_remembers_goes_with_the_thread_where_the_agent_is_found(
    store: str, tmp_path: Path
) -> None:
    from copilotkit_runtime_py.providers.langgraph.provider import LangGraphProvider
    from copilotkit_runtime_py.providers.target import load_target

    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"greeter": "./graph.py:graph"}}')
    graph = load_target("graph.py:graph")
    talk(store, "t1", agent=LangGraphProvider(graph))

    result = run("threads", "delete", "t1", "--yes")
    talk(store, "t1", agent=LangGraphProvider(graph))

    assert result.output == "Deleted t1.\n"
    assert "assistant: 1 before this" in run("threads", "show", "t1").output.splitlines()


def test_the_beginning_of_an_id_is_enough_if_no_other_id_begins_so(store: str) -> None:
    talk(store, "abc-1", "abc-2", "abc", "xyz-1")

    shown = run("threads", "show", "xy").output
    exact = run("threads", "delete", "abc", "--yes").output
    unclear = run("threads", "delete", "abc", "xyz", "--yes")
    deleted = run("threads", "delete", "abc-1", "x", "--yes").output

    assert "user: hello" in shown
    assert exact.startswith("Deleted abc.\n")
    assert (unclear.exit_code, unclear.output) == (
        1,
        "Error: Several threads begin with 'abc': abc-2, abc-1.\n",
    )
    assert deleted.startswith("Deleted abc-1.\nDeleted xyz-1.\n")
    assert listed() == ["abc-2"]
    assert run("threads", "show", "").exit_code == 1


@pytest.mark.parametrize("command", ["show", "export", "delete"])
def test_the_thread_of_another_owner_does_not_exist(command: str, store: str) -> None:
    talk(store, "t1", user="ada")

    result = run("threads", command, "t1", *(["--yes"] if command == "delete" else []))

    assert result.exit_code == 1
    assert "Thread 't1' was not found. --owner names another user." in result.output
    assert listed("--owner", "ada") == ["t1"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory", "Threads in memory are within the server"),
        (
            "sqlite:///absent.db",
            "The file {directory}/absent.db does not exist: name the store with --store.",
        ),
        ("mongodb://me:s3cret@host/", "'mongodb' is not a kind of store"),
        (
            "postgresql://me:s3cret@127.0.0.1:1/threads",
            "The store at postgresql://127.0.0.1:1/threads cannot be reached",
        ),
        ("redis://me:s3cret@127.0.0.1:1/0", "The store at redis://127.0.0.1:1/0 cannot be reached"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_a_line(url: str, message: str, tmp_path: Path) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")

    result = run("threads", "list", "--store", url)

    assert result.exit_code in (1, 2)
    assert message.format(directory=tmp_path) in result.output
    assert "Traceback" not in result.output
    assert "s3cret" not in result.output
    assert not (tmp_path / "absent.db").exists()


def test_what_a_user_wrote_does_not_control_the_terminal(store: str) -> None:
    async def rude(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.text_start("m1")
        yield events.text_content("m1", "two\nlines\x1b]0;title\x07 \x9b2J")

    async def rename() -> None:
        opened = open_state_store(store)
        await opened.update_thread("anonymous", "t1", name="my\x1b[2J thread")
        await opened.aclose()

    talk(store, "t1", agent=rude)
    anyio.run(rename)

    shown = run("threads", "show", "t1").output
    listed = run("threads", "list").output.splitlines()

    assert shown.startswith("my�[2J thread\n")
    assert shown.endswith("assistant: two\nlines�]0;title� �2J\n")
    assert listed[1].endswith("  my�[2J thread")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("redis_url", marks=pytest.mark.redis),
        pytest.param("postgres_url", marks=pytest.mark.postgres),
    ],
)
def test_threads_in_a_database_are_listed_and_deleted(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    talk(url, "t1", "t2")

    before = listed("--store", url)
    deleted = run("threads", "delete", "t2", "--yes", "--store", url)

    assert before == ["t2", "t1"]
    assert deleted.exit_code == 0
    assert listed("--store", url) == ["t1"]
