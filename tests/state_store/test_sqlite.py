"""What the SQL store does in a SQLite file."""

import asyncio
import dataclasses
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from copilotkit_runtime_py.agui.lines import SplitLines
from copilotkit_runtime_py.errors import ConfigurationError, StoreUnavailableError, StoreUnusableError
from copilotkit_runtime_py.state_store.base import AgentState, RunEnding, Signal
from copilotkit_runtime_py.state_store.sql import sqlite

from .test_sql import opened, record

pytestmark = pytest.mark.anyio


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process's transaction that writes to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process is concerned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_file_that_another_process_holds_is_read_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "threads.db"
    async with opened(f"sqlite:///{path}") as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])

        with held(path):
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await store.append(run, 1, [b"2"])
            assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1"]]

        await store.append(run, 1, [b"2"])
        assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1", b"2"]]
    assert caplog.messages == [
        "the state store cannot be reached: database is locked",
        "the state store can be used again",
    ]


async def test_writing_waits_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    async with opened(f"sqlite:///{path}") as store:
        run = await store.begin_run(record())
        with held(path):
            append = asyncio.create_task(store.append(run, 0, [b"1"]))
            assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[]]
            assert not append.done()

        await append
        assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1"]]


async def test_a_full_disk_is_an_outage_after_which_nothing_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    async with opened(f"sqlite:///{path}") as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])
        with (
            files_of_at_most((tmp_path / "threads.db-wal").stat().st_size),
            pytest.raises(StoreUnavailableError),
        ):
            await store.append(run, 1, [b"2" * 100_000])

        await store.append(run, 1, [b"2" * 100_000])
        assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1", b"2" * 100_000]]


async def test_a_file_in_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/missing/threads.db") as store:
        with pytest.raises(StoreUnusableError) as raised:
            await store.list_threads("ann")

        assert str(raised.value) == (
            "'threads.db' cannot be used as the state store's SQLite file: unable to open database file."
        )
        (tmp_path / "missing").mkdir()
        assert await store.list_threads("ann") == []


async def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "threads.db").write_bytes(b"PK" * 1000)

    async with opened(f"sqlite:///{tmp_path}/threads.db") as store:
        with pytest.raises(StoreUnusableError) as raised:
            await store.list_threads("ann")

    assert str(raised.value) == (
        "'threads.db' cannot be used as the state store's SQLite file: file is not a database."
    )


async def test_a_read_only_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(connection: sqlite3.Connection) -> None:
        # What file permissions forbid to others, they allow to the administrator.
        connection.execute("PRAGMA query_only=ON")

    monkeypatch.setattr(sqlite, "_configure", read_only)
    async with opened(f"sqlite:///{tmp_path}/threads.db") as store:
        with pytest.raises(StoreUnusableError) as raised:
            await store.list_threads("ann")

    assert str(raised.value) == (
        "'threads.db' cannot be used as the state store's SQLite file: attempt to write a readonly database."
    )


async def test_an_sqlite_that_is_too_old_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")

    with pytest.raises(ConfigurationError, match=r"SQLite 3\.34\.1 is too old .* needs 3\.35 or newer"):
        async with opened(f"sqlite:///{tmp_path}/threads.db"):
            pass


async def test_two_names_of_a_file_are_one_store(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    heard = asyncio.Event()

    def listen(signal: Signal) -> None:
        assert signal is Signal.EVENTS
        heard.set()

    async with (
        opened(f"sqlite:///{tmp_path}/data/threads.db") as store,
        opened(f"sqlite:///{tmp_path}/link/threads.db") as other,
        other.watch("t", listen),
    ):
        await store.append(await store.begin_run(record()), 0, [b"1"])
        async with asyncio.timeout(20):
            await heard.wait()


async def test_a_write_whose_caller_is_gone_is_done_as_a_whole(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/threads.db") as store:
        run = await store.begin_run(record())
        for position in range(20):
            append = asyncio.create_task(store.append(run, position, [b"%d" % position]))
            await asyncio.sleep(0)
            append.cancel()
            with pytest.raises(asyncio.CancelledError):
                await append
            await store.append(run, position, [b"%d" % position])

        (log,) = await store.read_runs("ann", "t")
        assert list(log.events) == [b"%d" % position for position in range(20)]


async def test_closing_leaves_one_file(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/threads.db") as store:
        await store.append(await store.begin_run(record()), 0, [b"1"])
        assert set(os.listdir(tmp_path)) > {"threads.db"}

    assert os.listdir(tmp_path) == ["threads.db"]


async def test_a_lease_ends_in_time_however_the_system_clock_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumped = time.time() + 86_400
    async with opened(f"sqlite:///{tmp_path / 'threads.db'}") as store:
        assert store.lease_seconds is not None
        monkeypatch.setattr(time, "time", lambda: jumped)
        run = await store.begin_run(record())
        await store.append(run, 0, [b"{}"])
        monkeypatch.undo()

        (log,) = await store.read_runs("ann", run.thread_id)
        assert log.lease is not None
        assert 0 < log.lease <= store.lease_seconds


async def test_a_lease_of_an_earlier_boot_of_the_machine_has_run_out(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'threads.db'}") as store:
        run = await store.begin_run(record())
        with closing(sqlite3.connect(tmp_path / "threads.db")) as database:
            database.execute("UPDATE copilotkit_runs SET lease_until = ?", [time.monotonic() + 86_400])
            database.commit()

        (log,) = await store.read_runs("ann", run.thread_id)
        assert log.lease is not None
        assert log.lease <= 0
        other = dataclasses.replace(run, producer="other")
        await store.append(other, 0, [], ending=RunEnding(state=AgentState(), compacted=[]))


async def test_large_values_are_written_in_pieces_and_read_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    large = b'"' + b"x" * 3_000_000 + b'"'
    lines = SplitLines([b"+0\t", b"1\t"], [b"{}", large])
    state = AgentState(state={"large": "y" * 2_000_000})
    async with opened(f"sqlite:///{path}") as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"{}", large])
        await store.append(run, 2, [large, b"{}"], ending=RunEnding(state=state, compacted=lines))
        (log,) = await store.read_runs("ann", run.thread_id)
        assert (log.ended, list(log.events)) == (True, [b"{}", large, large, b"{}"])
        assert await store.load_state("ann", run.thread_id, "a") == state
        with closing(sqlite3.connect(path)) as database:
            stored = database.execute(
                "SELECT bytes, (SELECT bytes FROM copilotkit_runs) FROM copilotkit_threads"
            )
            (of_thread, of_run) = stored.fetchone()
            sizes = "SELECT sum(length(data)), (SELECT length(compacted) FROM copilotkit_runs) FROM {}"
            batches, compacted = database.execute(sizes.format("copilotkit_batches")).fetchone()
            states, _ = database.execute(sizes.format("copilotkit_states")).fetchone()
        assert (of_run, of_thread) == (batches + compacted, batches + compacted + states)

        following = await store.begin_run(record())
        await store.append(following, 0, [b"{}"], ending=RunEnding(state=AgentState(), compacted=[b"+0\t{}"]))
        first, _ = await store.read_runs("ann", run.thread_id)
        assert (first.compacted, list(first.events)) == (True, list(lines))
