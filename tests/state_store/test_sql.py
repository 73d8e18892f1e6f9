"""What the SQL store does on both databases; what all stores do is in the conformance suite."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from copilotkit_runtime_py.errors import ConfigurationError, StoreUnavailableError, StoreUnusableError
from copilotkit_runtime_py.state_store.base import AgentState, Retention, RunEnding, RunRecord, Signal
from copilotkit_runtime_py.state_store.sql import SQLStateStore, postgres, sqlite
from copilotkit_runtime_py.state_store.sql.address import sqlite_path
from copilotkit_runtime_py.state_store.sql.schema import MIGRATIONS
from copilotkit_runtime_py.state_store.sql.statement import Statement, Steps

pytestmark = pytest.mark.anyio

TABLES = ["copilotkit_threads", "copilotkit_runs", "copilotkit_batches", "copilotkit_states"]


def record(thread_id: str = "t", owner: str = "ann") -> RunRecord:
    return RunRecord(id="r", thread_id=thread_id, agent_name="a", owner=owner)


def ending(state: Any = None, *compacted: bytes) -> RunEnding:
    return RunEnding(state=AgentState(state=state), compacted=compacted)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[SQLStateStore]:
    async with aclosing(SQLStateStore(url, **options)) as store:
        yield store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/threads.db"
    return str(request.getfixturevalue("postgres_url"))


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs a statement on the database beside the store."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            return connection.execute(statement).fetchall()
    import psycopg

    with psycopg.connect(url) as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:////var/lib/threads.db", "sqlite:////var/lib/threads.db"),
        ("sqlite:///threads.db", "sqlite:///{directory}/threads.db"),
        ("sqlite:///./data/../threads.db", "sqlite:///{directory}/threads.db"),
        ("sqlite+aiosqlite:///threads.db", "sqlite:///{directory}/threads.db"),
        ("postgresql://ann:p%40ss@db:5433/app?sslmode=require",) * 2,
        ("postgres://ann:p%40ss@db/app", "postgresql://ann:p%40ss@db/app"),
        ("postgresql+psycopg://db/app", "postgresql://db/app"),
        ("postgresql+asyncpg://db/app", "postgresql://db/app"),
        ("postgresql:///app", "postgresql:///app"),
    ],
)
def test_a_url_may_be_written_in_many_ways(
    written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert SQLStateStore(written).url == meant.format(directory=tmp_path)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("mysql://ann:sekret@db/app", "'mysql' is not an SQL store: write a URL with sqlite or postgresql."),
        ("sqlite://", "A SQLite store needs a file: write a URL such as sqlite:///threads.db."),
        ("sqlite:///:memory:", "A SQLite store needs a file: write a URL such as sqlite:///threads.db."),
        ("sqlite:///file:x?mode=memory&uri=true", "A SQLite store needs a file"),
        ("sqlite://threads.db", "write sqlite:///threads.db for a file in the working directory"),
        ("sqlite://data/threads.db", "write sqlite:///data/threads.db for a file in the working directory"),
        ("threads.db", "The store's URL is malformed: write one such as sqlite:///threads.db or"),
        ("postgresql://ann:sekret@db:port/app", "The store's URL is malformed"),
    ],
)
def test_a_url_that_names_no_database_is_told_in_one_line(written: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        SQLStateStore(written)

    message = str(raised.value)
    assert told in message
    assert "sekret" not in message
    assert "\n" not in message


def test_a_password_is_not_shown() -> None:
    store = SQLStateStore("postgresql://ann:sekret@db/app")

    assert repr(store) == "SQLStateStore('postgresql://ann:***@db/app')"
    assert store.url == "postgresql://ann:sekret@db/app"


async def test_everything_outlives_the_process(url: str) -> None:
    async with opened(url) as store:
        first = await store.begin_run(record())
        await store.append(first, 0, [b"1", b"2"], ending=ending({"n": 1}, b"12"))
        second = await store.begin_run(record())
        await store.append(second, 0, [b"3"], ending=ending({"n": 2}, b"3c"))
        third = await store.begin_run(record())
        await store.append(third, 0, [b"4"])
        await store.request_stop("ann", "t")
        thread = await store.update_thread("ann", "t", name="Tea")

    async with opened(url) as store:
        logs = await store.read_runs("ann", "t")
        assert [(kept.run, list(kept.events), kept.compacted, kept.ended) for kept in logs] == [
            (first, [b"12"], True, True),
            (second, [b"3"], False, True),
            (third, [b"4"], False, False),
        ]
        assert await store.list_threads("ann") == [thread]
        assert await store.load_state("ann", "t", "a") == AgentState(state={"n": 2})
        assert (await store.append(third, 1, [])).stop_requested


def test_a_store_that_was_closed_is_opened_by_its_next_use_on_any_loop(url: str) -> None:
    store = SQLStateStore(url)

    async def run() -> int:
        async with aclosing(store):
            begun = await store.begin_run(record())
            await store.append(begun, 0, [], ending=ending())
            return begun.number

    assert [asyncio.run(run()), asyncio.run(run())] == [1, 2]


def test_the_newest_migration_is_the_last_file() -> None:
    found = files("copilotkit_runtime_py.state_store.sql").joinpath("migrations").iterdir()

    assert sorted(file.name for file in found) == [f"{version}.sql" for version in MIGRATIONS]


async def test_workers_that_start_together_make_the_tables_once(url: str) -> None:
    program = """
import asyncio, sys
from copilotkit_runtime_py.state_store.base import RunRecord
from copilotkit_runtime_py.state_store.sql import SQLStateStore

async def main(url, thread_id):
    store = SQLStateStore(url)
    sys.stdin.readline()
    await store.begin_run(RunRecord(id="r", thread_id=thread_id, agent_name="a", owner="ann"))
    await store.aclose()

asyncio.run(main(*sys.argv[1:]))
"""
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program, url, f"t{number}"),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for number in range(3)
    ]
    answers = await asyncio.gather(*(worker.communicate(b"\n") for worker in workers))

    assert [answer[1].decode() for answer in answers] == [""] * len(workers)
    async with opened(url) as store:
        assert len(await store.list_threads("ann")) == len(workers)
    assert execute(url, "SELECT version_num FROM copilotkit_schema") == [(MIGRATIONS[-1],)]


async def test_tables_of_an_older_release_are_migrated_and_its_workers_may_go_on(url: str) -> None:
    schema = files("copilotkit_runtime_py.state_store.sql").joinpath("migrations")
    for version in ("0001", "0002"):
        for statement in schema.joinpath(f"{version}.sql").read_text("utf-8").split(";\n"):
            if statement.strip():
                execute(url, statement)
    execute(url, "CREATE TABLE copilotkit_schema (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    execute(url, "INSERT INTO copilotkit_schema VALUES ('0002')")
    insert = """
        INSERT INTO copilotkit_threads (
            id, owner, agent_name, name, archived, created_at, updated_at, last_number, running, bytes
        ) VALUES ('{0}', 'ann', 'a', {1}, false, {2}, {3}, 0, false, 0)
    """
    execute(url, insert.format("t1", "NULL", 100, 200))
    execute(url, insert.format("t2", "'Plans'", 100, 300))

    async with opened(url) as store:
        threads = await store.list_threads("ann")
        assert [(thread.id, thread.name) for thread in threads] == [("t2", "Plans"), ("t1", None)]
        assert [thread.last_run_at.timestamp() for thread in threads] == [300, 200]
        named = await store.update_thread("ann", "t1", name="Old")
        assert named.last_run_at.timestamp() == 200
        # A worker of the older release, which is not stopped yet, has a run on a new thread.
        execute(url, insert.format("t3", "NULL", 250, 250))
        assert [thread.id for thread in await store.list_threads("ann")] == ["t2", "t3", "t1"]
        assert [thread.id for thread in await store.list_threads("ann", after="t2")] == ["t3", "t1"]
        await store.append(await store.begin_run(record("t1")), 0, [], ending=ending())
        assert [thread.id for thread in await store.list_threads("ann")] == ["t1", "t2", "t3"]


async def test_tables_of_a_newer_release_are_refused(url: str) -> None:
    async with opened(url) as store:
        await store.begin_run(record())
    execute(url, "UPDATE copilotkit_schema SET version_num = '9876'")

    async with opened(url) as store:
        with pytest.raises(StoreUnusableError) as raised:
            await store.list_threads("ann")

    assert str(raised.value) == (
        "The state store has schema version 9876, and this release of copilotkit-runtime-py knows versions "
        f"up to {MIGRATIONS[-1]}: upgrade it, or use another database."
    )
    assert execute(url, "SELECT version_num FROM copilotkit_schema") == [("9876",)]


async def test_a_mistake_in_the_tables_is_no_outage(url: str) -> None:
    async with opened(url) as store:
        await store.list_threads("ann")
        execute(url, "DROP TABLE copilotkit_states")

        with pytest.raises(Exception, match="copilotkit_states") as raised:
            await store.load_state("ann", "t", "secret agent")

    assert not isinstance(raised.value, StoreUnavailableError)
    assert "secret agent" not in str(raised.value)


async def test_no_row_of_a_deleted_thread_stays(url: str) -> None:
    async with opened(url) as store:
        for thread_id in ("t", "u"):
            for _ in range(2):
                run = await store.begin_run(record(thread_id))
                await store.append(run, 0, [b"1"], ending=ending(None, b"c"))
            await store.append(await store.begin_run(record(thread_id)), 0, [b"1"])
        before = [execute(url, f"SELECT count(*) FROM {table}") for table in TABLES]
        await store.delete_thread("ann", "t")

        after = [execute(url, f"SELECT count(*) FROM {table}") for table in TABLES]
        assert (before, after) == (
            [[(2,)], [(6,)], [(4,)], [(2,)]],
            [[(1,)], [(3,)], [(2,)], [(1,)]],
        )


async def test_what_is_kept_is_counted_in_bytes(url: str) -> None:
    async with opened(url) as store:
        for _ in range(2):
            run = await store.begin_run(record())
            await store.append(run, 0, [b"12", b"34"])
            await store.append(run, 2, [b"56"], ending=ending(None, b"123"))

    # A compacted run; a whole one with its compacted form; a state.
    state = len(b'{"state":null,"messages":[],"interrupts":[]}')
    assert execute(url, "SELECT bytes FROM copilotkit_threads") == [(3 + 7 + 3 + state,)]


async def test_a_run_is_over_though_nothing_could_be_deleted(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Retention) -> Steps[None]:
        yield Statement("DELETE FROM copilotkit_missing"), {}

    monkeypatch.setattr(sqlite, "evict", fail)
    monkeypatch.setattr(postgres, "evict", fail)
    async with opened(url, retention=Retention(max_threads=1)) as store:
        run = await store.begin_run(record())
        assert not (await store.append(run, 0, [b"1"], ending=ending())).stop_requested

        assert (await store.read_runs("ann", "t"))[0].ended
    assert "data beyond the retention could not be deleted" in caplog.text


async def test_many_threads_may_go_at_once(url: str) -> None:
    async with opened(url, retention=Retention(max_threads=3)) as store:
        await store.list_threads("ann")
        row = "'ann', 'a', NULL, false, 1, 1, 0, false, 0, NULL"
        rows = ", ".join(f"('t{number}', {row})" for number in range(1200))
        execute(url, f"INSERT INTO copilotkit_threads VALUES {rows}")
        run = await store.begin_run(record("new"))
        await store.append(run, 0, [b"1"], ending=ending())

        assert [thread.id for thread in await store.list_threads("ann")] == ["new", "t999", "t998"]


async def test_a_reader_who_is_up_to_date_is_given_no_old_events(url: str) -> None:
    async with opened(url) as store:
        run = await store.begin_run(record())
        for position in range(0, 10, 2):
            await store.append(run, position, [b"%d" % position, b"%d" % (position + 1)])

        read = [
            [list(kept.events) for kept in await store.read_runs("ann", "t", since=-1, position=position)]
            for position in (0, 3, 9, 10)
        ]
        assert read == [[[b"%d" % number for number in range(start, 10)]] for start in (0, 3, 9, 10)]


async def test_a_position_beyond_all_numbers_finds_nothing(url: str) -> None:
    async with opened(url) as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])

        assert await store.read_runs("ann", "t", since=10**30) == []
        assert [list(kept.events) for kept in await store.read_runs("ann", "t", position=10**30)] == [[]]
        assert [list(kept.events) for kept in await store.read_runs("ann", "t", since=-(10**30))] == [[b"1"]]


async def test_who_may_not_stop_a_run_is_not_heard(url: str) -> None:
    heard: list[Signal] = []
    first = asyncio.Event()

    def listen(signal: Signal) -> None:
        heard.append(signal)
        first.set()

    async with opened(url) as store:
        run = await store.begin_run(record())
        async with store.watch("t", listen):
            assert not await store.request_stop("bob", "t")
            assert not await store.request_stop("ann", "t", "another run")
            await store.append(run, 0, [b"1"])
            async with asyncio.timeout(20):
                await first.wait()

        assert heard == [Signal.EVENTS]
