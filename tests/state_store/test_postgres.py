"""What the SQL store does in PostgreSQL."""

import asyncio
import logging
import traceback
from collections import Counter
from contextlib import AsyncExitStack, aclosing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from copilotkit_runtime_py.errors import InvalidRequestError, StoreUnavailableError, StoreUnusableError
from copilotkit_runtime_py.state_store.base import Signal
from copilotkit_runtime_py.state_store.sql import SQLStateStore, postgres, postgres_signals
from copilotkit_runtime_py.state_store.sql.schema import migrate
from copilotkit_runtime_py.state_store.sql.statement import Statement, Steps

from ..servers import Postgres, free_port
from .test_sql import ending, opened, record

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


class Heard:
    """A listener that lets a test wait until it has heard certain signals, and tells how often."""

    def __init__(self) -> None:
        self.times: Counter[Signal] = Counter()
        self._news = asyncio.Event()

    def __call__(self, signal: Signal) -> None:
        self.times[signal] += 1
        self._news.set()

    async def both(self) -> None:
        async with asyncio.timeout(20):
            while set(self.times) != set(Signal):
                self._news.clear()
                await self._news.wait()


def cut_connections(url: str) -> None:
    """Has the server end all connections to its database but the one that asks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def every_method(store: SQLStateStore, run: Any) -> list[Any]:
    """What each method of the store raises, or None."""

    async def watch() -> None:
        async with store.watch("t", lambda _: None):
            pass

    return await asyncio.gather(
        store.begin_run(record("u")),
        store.append(run, 0, [b"1"]),
        store.append(run, 1, [], ending=ending()),
        store.request_stop("ann", "t"),
        watch(),
        store.read_runs("ann", "t"),
        store.load_state("ann", "t", "a"),
        store.list_threads("ann"),
        store.update_thread("ann", "t", name="Tea"),
        store.delete_thread("ann", "t"),
        return_exceptions=True,
    )


async def test_every_method_tells_that_the_server_is_gone_and_serves_when_it_is_back(
    own_postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(own_postgres.url) as store:
        run = await store.begin_run(record())
        own_postgres.stop()

        assert {type(result) for result in await every_method(store, run)} == {StoreUnavailableError}
        own_postgres.start()

        assert not (await store.append(run, 0, [b"1"])).stop_requested
        assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1"]]
    logged = [entry.message for entry in caplog.records if entry.name.endswith("outage_log")]
    assert [message.partition(":")[0] for message in logged] == [
        "the state store cannot be reached",
        "the state store can be used again",
    ]


async def test_a_server_that_is_not_there_at_the_start_is_waited_for(own_postgres: Postgres) -> None:
    own_postgres.stop()
    async with opened(own_postgres.url) as store:
        with pytest.raises(StoreUnavailableError):
            await store.list_threads("ann")
        own_postgres.start()

        assert await store.list_threads("ann") == []


async def test_a_server_that_hangs_keeps_nobody_waiting(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(own_postgres.url))
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])
        monkeypatch.setattr(postgres, "_SECONDS", 0.2)
        own_postgres.pause()
        stack.callback(own_postgres.resume)

        with pytest.raises(StoreUnavailableError):
            await store.append(run, 1, [b"2"])
        append = asyncio.create_task(store.append(run, 1, [b"2"]))
        await asyncio.sleep(0)
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append

        own_postgres.resume()
        monkeypatch.undo()
        await store.append(run, 1, [b"2"])
        assert [list(kept.events) for kept in await store.read_runs("ann", "t")] == [[b"1", b"2"]]


async def test_connections_that_were_cut_while_they_lay_idle_are_not_noticed(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        run = await store.begin_run(record())
        # As many as can be kept, of both kinds.
        await asyncio.gather(*(store.list_threads("ann") for _ in range(20)))
        await asyncio.gather(*(store.request_stop("bob", "t") for _ in range(20)))
        cut_connections(postgres_url)

        await store.append(run, 0, [b"1"])
        assert await store.update_thread("ann", "t", name="Tea")


async def test_signals_are_given_once_each_after_the_listening_connection_was_lost(postgres_url: str) -> None:
    heard = Heard()
    async with opened(postgres_url) as store, store.watch("t", heard):
        cut_connections(postgres_url)
        await heard.both()

        assert heard.times == {Signal.EVENTS: 1, Signal.STOP: 1}
        heard.times.clear()
        await store.append(await store.begin_run(record()), 0, [b"1"])
        await store.request_stop("ann", "t")
        await heard.both()


async def test_a_signal_that_could_not_be_given_is_given_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_signals, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(postgres_signals, "_INTERVAL", 0.0)
    sent: list[list[str]] = []
    outages = [StoreUnavailableError(), RuntimeError("of another kind")]

    async def send(payloads: list[str]) -> None:
        if outages:
            raise outages.pop()
        sent.append(payloads)

    sender = postgres_signals.SignalSender(send)
    for payload in ("events t", "stop u", "events t"):
        sender.send(payload)
    await sender.aclose()

    assert sent == [["events t", "stop u"]]


async def test_where_signals_are_not_heard_that_is_logged_and_everybody_looks_often(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So it is behind a pooler that shares connections by transaction."""
    monkeypatch.setattr(postgres_signals, "_ECHO", 0.1)
    monkeypatch.setattr(postgres_signals, "_POLL", 0.05)
    heard = Heard()

    async def lose(payloads: list[str]) -> None: ...

    signals = postgres_signals.PostgresSignals(postgres_url, lose)
    async with aclosing(signals), signals.board.watch("t", heard):
        await signals.listen("t")
        for _ in range(3):
            heard.times.clear()
            await heard.both()
    told = [message for message in caplog.messages if "signals of other workers do not arrive" in message]
    assert len(told) == 1


async def test_other_workers_are_told_of_the_threads_that_they_watch_and_of_no_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_signals, "_ECHO", 0.5)
    sent: list[str] = []
    send = postgres.PostgresDatabase._send

    async def note(self: postgres.PostgresDatabase, payloads: list[str]) -> None:
        sent.extend(payload for payload in payloads if payload.startswith("events"))
        await send(self, payloads)

    monkeypatch.setattr(postgres.PostgresDatabase, "_send", note)
    async with (
        opened(postgres_url) as store,
        opened(postgres_url) as other,
        store.watch_stops(lambda _: None),
    ):
        watched, unwatched = await store.begin_run(record("t")), await store.begin_run(record("u"))
        await asyncio.sleep(1)
        for position in range(3):
            await store.append(unwatched, position, [b"1"])
        heard = asyncio.Event()
        async with other.watch("t", lambda _: heard.set()):
            for position in range(3):
                heard.clear()
                await store.append(watched, position, [b"1"])
                async with asyncio.timeout(20):
                    await heard.wait()
    assert set(sent) == {f"events {postgres._key('t')}"}


async def test_what_others_say_on_the_channel_does_no_harm(postgres_url: str) -> None:
    heard = Heard()
    async with opened(postgres_url) as store, store.watch("t", heard):
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for payload in ("", "nonsense", "events", "x y z"):
                connection.execute("SELECT pg_notify(%s, %s)", [postgres_signals.CHANNEL, payload])
        await store.append(await store.begin_run(record()), 0, [b"1"])
        await store.request_stop("ann", "t")
        await heard.both()


async def test_closing_leaves_no_connection_and_no_task(postgres_url: str) -> None:
    tasks = asyncio.all_tasks()
    async with opened(postgres_url) as store, store.watch("t", lambda _: None):
        await store.append(await store.begin_run(record()), 0, [b"1"])

    assert asyncio.all_tasks() == tasks
    with psycopg.connect(postgres_url) as connection:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        async with asyncio.timeout(20):
            while connection.execute(others).fetchone() != (
                0,
            ):  # the server takes note of it in its own time
                connection.rollback()
                await asyncio.sleep(0.01)


async def test_a_user_who_may_make_no_tables_is_told(postgres_url: str) -> None:
    role = postgres_url.rpartition("/")[2]
    create, drop = (sql.SQL(f"{verb} ROLE {{}}").format(sql.Identifier(role)) for verb in ("CREATE", "DROP"))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(create + sql.SQL(" LOGIN"))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM public")
        try:
            options = f"-c role={role}".replace(" ", "%20").replace("=", "%3D")
            async with opened(f"{postgres_url}?options={options}") as store:
                with pytest.raises(StoreUnusableError) as raised:
                    await store.list_threads("ann")
        finally:
            connection.execute(drop)

    assert str(raised.value) == (
        "The state store's tables cannot be created: permission denied for schema public."
    )


async def test_an_id_that_no_index_takes_is_the_clients_fault(postgres_url: str) -> None:
    incompressible = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(9_000))

    async with opened(postgres_url) as store:
        with pytest.raises(InvalidRequestError, match=r"^An id is too long\.$"):
            await store.begin_run(record(incompressible))
        assert await store.list_threads("ann") == []


async def test_a_password_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with aclosing(SQLStateStore(f"postgresql://ann:sekret@127.0.0.1:{free_port()}/app")) as store:
        with pytest.raises(StoreUnavailableError) as raised:
            await store.list_threads("ann")
        with pytest.raises(StoreUnavailableError) as watching:
            async with store.watch("t", lambda _: None):
                pass

    for error in (raised.value, watching.value):
        assert "sekret" not in "".join(traceback.format_exception(error))
    assert "cannot be reached: connection failed" in caplog.text
    assert "sekret" not in caplog.text


async def test_a_migration_that_takes_long_is_done_once_while_callers_give_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[None] = []

    def slow() -> Steps[None]:
        begun.append(None)
        yield Statement("SELECT pg_sleep(1.5)"), {}
        yield from migrate()

    monkeypatch.setattr(postgres, "migrate", slow)
    async with opened(postgres_url) as store:
        monkeypatch.setattr(postgres, "_SECONDS", 0.3)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await store.list_threads("ann")
        monkeypatch.setattr(postgres, "_SECONDS", 20.0)

        assert await store.list_threads("ann") == []
    assert begun == [None]
