"""What is the Redis store's own; what it shares with all stores is in the conformance suite."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
import redis
import trustme
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import (
    ConfigurationError,
    RunLostError,
    StoreUnavailableError,
    StoreUnusableError,
    ThreadBusyError,
)
from copilotkit_runtime_py.runtime import CopilotRuntime
from copilotkit_runtime_py.state_store import redis as redis_store
from copilotkit_runtime_py.state_store import redis_signals
from copilotkit_runtime_py.state_store.base import AgentState, AppendResult, RunEnding, RunRecord, Signal
from copilotkit_runtime_py.state_store.redis import RedisStateStore

from ..servers import Redis, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.redis]


def record(thread_id: str = "t", owner: str = "ann", id: str = "r", agent: str = "a") -> RunRecord:
    return RunRecord(id=id, thread_id=thread_id, agent_name=agent, owner=owner)


def ending(state: Any = None, *compacted: bytes) -> RunEnding:
    return RunEnding(state=AgentState(state=state), compacted=compacted)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[RedisStateStore]:
    async with aclosing(RedisStateStore(url, **options)) as store:
        yield store


class Heard:
    """A listener that lets a test wait for what it hears."""

    def __init__(self) -> None:
        self.signals: asyncio.Queue[Signal] = asyncio.Queue()

    def __call__(self, signal: Signal) -> None:
        self.signals.put_nowait(signal)

    async def next(self) -> Signal:
        async with asyncio.timeout(20):
            return await self.signals.get()


async def test_a_run_whose_log_the_server_lost_is_lost_to_its_producer() -> None:
    with Redis() as server:
        async with opened(server.url) as store:
            run = await store.begin_run(record())
            assert not (await store.append(run, 0, [b"1"])).stop_requested

            server.stop()
            with pytest.raises(StoreUnavailableError):
                await store.append(run, 1, [b"2"])
            server.start()

            with pytest.raises(RunLostError):
                await store.append(run, 1, [b"2"])
            assert await store.read_runs("ann", "t") == []
            assert (await store.begin_run(record())).number == 1


async def test_a_run_goes_on_when_its_server_is_back(own_redis: Redis) -> None:
    async with opened(own_redis.url) as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])

        own_redis.stop()
        with pytest.raises(StoreUnavailableError):
            await store.read_runs("ann", "t")
        own_redis.start()

        await store.append(run, 1, [b"2"], ending=ending({"n": 1}))
        [log] = await store.read_runs("ann", "t")
        assert (log.run, log.events, log.ended) == (run, [b"1", b"2"], True)


async def test_what_a_server_forgot_of_a_log_is_written_again(redis_url: str) -> None:
    allowed = asyncio.Semaphore(0)

    async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        for word in "one", "two", "three":
            await allowed.acquire()
            yield events.text_content("m", word)
        yield events.text_end("m")

    runtime = CopilotRuntime({"a": agent}, state_store=RedisStateStore(redis_url))
    input = {"threadId": "t", "runId": "r", "state": {}, "messages": [], "tools": [], "context": []}
    asked = RunAgentInput.model_validate({**input, "forwardedProps": {}})
    run = await runtime.start("a", asked, RequestContext(owner="ann"))
    news = asyncio.Event()
    reader = run.subscribe(news.set)
    allowed.release()
    shown = 0
    while shown < 3:
        await news.wait()
        news.clear()
        shown += len(list(reader.take()))
    with redis.Redis.from_url(redis_url) as client:
        [thread] = client.scan_iter("copilotkit:t:*")
        client.hset(thread, "length", 0)
        client.delete(*client.scan_iter("copilotkit:l:*"))
    allowed.release()
    allowed.release()
    await run.wait()

    [log] = await runtime.state_store.read_runs("ann", "t")
    assert log.ended
    assert log.events == [entry.data for entry in run.entries]
    await runtime.aclose()


async def test_a_server_that_does_not_answer_is_given_up(
    own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "_TIMEOUT", 0.5)
    monkeypatch.setattr(redis_signals, "_HEARTBEAT", 0.5)
    async with opened(own_redis.url) as store, opened(own_redis.url) as fresh:
        run = await store.begin_run(record())

        own_redis.pause()
        with pytest.raises(StoreUnavailableError):
            await store.append(run, 0, [b"1"])
        with pytest.raises(StoreUnavailableError):
            await fresh.list_threads("ann")
        with pytest.raises(StoreUnavailableError):
            async with fresh.watch("t", Heard()):
                pass
        own_redis.resume()

        assert not (await store.append(run, 0, [b"1"])).stop_requested
        assert [log.events for log in await fresh.read_runs("ann", "t")] == [[b"1"]]


async def test_nobody_waits_where_nothing_listens() -> None:
    async with opened(f"redis://127.0.0.1:{free_port()}/0") as store:
        with pytest.raises(StoreUnavailableError):
            await store.begin_run(record())
        with pytest.raises(StoreUnavailableError):
            async with store.watch("t", Heard()):
                pass


async def test_signals_reach_other_stores(redis_url: str) -> None:
    async with opened(redis_url) as producer, opened(redis_url) as reader:
        run = await producer.begin_run(record())
        growth, request = Heard(), Heard()
        async with reader.watch("t", growth), producer.watch("t", request):
            await producer.append(run, 0, [b"1"])
            assert await growth.next() is Signal.EVENTS
            assert await request.next() is Signal.EVENTS
            assert await reader.request_stop("ann", "t")
            assert await request.next() is Signal.STOP
            assert (await producer.append(run, 1, [])).stop_requested


async def test_a_watcher_hears_from_the_first_moment_however_many_come_and_go(redis_url: str) -> None:
    async with opened(redis_url) as store, opened(redis_url) as other:
        run = await store.begin_run(record())

        async def watch_one_event(position: int) -> Signal:
            heard = Heard()
            async with store.watch("t", heard):
                await other.append(run, position, [b"1"])
                return await heard.next()

        for position in range(50):
            assert await watch_one_event(position) is Signal.EVENTS

        async def watch_together(barrier: asyncio.Barrier) -> Signal:
            heard = Heard()
            async with store.watch("t", heard):
                await barrier.wait()
                return await heard.next()

        barrier = asyncio.Barrier(21)
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(watch_together(barrier)) for _ in range(20)]
            await barrier.wait()
            await other.append(run, 50, [b"1"])
        assert [task.result() for task in watchers] == [Signal.EVENTS] * 20


async def test_signals_that_were_missed_are_given_once_the_server_is_back(own_redis: Redis) -> None:
    async with opened(own_redis.url) as store, opened(own_redis.url) as other:
        run = await store.begin_run(record())
        heard, elsewhere = Heard(), Heard()
        async with store.watch("t", heard), store.watch("t2", elsewhere):
            own_redis.stop()
            own_redis.start()
            assert {await heard.next(), await heard.next()} == set(Signal)
            assert {await elsewhere.next(), await elsewhere.next()} == set(Signal)

            await other.append(run, 0, [b"1"])
            assert await heard.next() is Signal.EVENTS
        assert elsewhere.signals.empty()


async def test_a_silent_server_is_noticed_by_those_who_watch(
    own_redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_signals, "_HEARTBEAT", 0.5)
    lost = asyncio.Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lost.set()

    monkeypatch.setattr(redis_signals.logger, "handlers", [Noticing()])
    async with opened(own_redis.url) as store:
        heard = Heard()
        async with store.watch("t", heard):
            own_redis.pause()
            async with asyncio.timeout(20):
                await lost.wait()
            own_redis.resume()
            assert {await heard.next(), await heard.next()} == set(Signal)
    assert caplog.messages == [
        "the connection to Redis for signals is lost: TimeoutError no answer",
        "signals from Redis arrive again",
    ]


async def test_who_may_not_subscribe_is_told_so(own_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">hunter2", "~*", "+@all", "resetchannels")
    async with opened(own_redis.url.replace("//", "//ann:hunter2@")) as store:
        assert await store.list_threads("ann") == []
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                async with store.watch("t", Heard()):
                    pass
    [message] = caplog.messages
    assert message.startswith("the connection to Redis for signals is lost: NoPermissionError ")


async def test_a_watcher_that_is_cancelled_disturbs_no_other(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(redis_url) as store:
        run = await store.begin_run(record())
        heard = Heard()

        async def watch_others() -> None:
            with anyio.CancelScope() as scope:
                async with store.watch("t2", Heard()), store.watch("t3", Heard()):
                    scope.cancel()
                    await anyio.sleep_forever()

        async with store.watch("t", heard):
            for position in range(20):
                await watch_others()
                await store.append(run, position, [b"1"])
                assert await heard.next() is Signal.EVENTS
    assert caplog.messages == []


async def test_scripts_that_the_server_forgot_are_told_again(redis_url: str) -> None:
    async with opened(redis_url) as store:
        run = await store.begin_run(record())
        await store.append(run, 0, [b"1"])
        with redis.Redis.from_url(redis_url) as client:
            client.script_flush()
        await store.append(run, 1, [b"2"])
        assert [log.events for log in await store.read_runs("ann", "t")] == [[b"1", b"2"]]


WEIRD = [
    "",
    "t",
    "t:1",
    "t:1:c",
    "{t}",
    "}{",
    "a\x00b",
    "a\nb",
    " ",
    "*",
    "é\u0301",
    "\ud83e",
    "x" * 10_000,
    "x" * 10_001,
]


async def test_no_two_ids_meet(redis_url: str) -> None:
    async with opened(redis_url) as store:
        for number, text in enumerate(WEIRD):
            begun = await store.begin_run(record(text, owner=text, id=text, agent=text))
            await store.append(begun, 0, [b"%d" % number], ending=ending(number))
        for number, text in enumerate(WEIRD):
            [log] = await store.read_runs(text, text)
            assert (log.run.id, log.run.agent_name, log.run.owner) == (text, text, text)
            assert log.events == [b"%d" % number]
            assert await store.load_state(text, text, text) == AgentState(state=number)
            [thread] = await store.list_threads(text, text)
            assert (thread.id, thread.agent_name) == (text, text)
            assert (await store.update_thread(text, text, name=text)).name == text


async def test_stores_with_different_prefixes_know_nothing_of_each_other(redis_url: str) -> None:
    async with opened(redis_url, prefix="one") as one, opened(redis_url, prefix="two:*") as two:
        run = await one.begin_run(record())
        heard = Heard()
        async with two.watch("t", heard):
            assert await two.read_runs("ann", "t") == []
            assert not await two.request_stop("ann", "t")
            other = await two.begin_run(record())
            await one.append(run, 0, [b"1"], ending=ending())
            await two.append(other, 0, [b"2"])
            await heard.next()
        assert heard.signals.empty()
        assert [log.events for log in await one.read_runs("ann", "t")] == [[b"1"]]
        with redis.Redis.from_url(redis_url) as client:
            assert all(key.startswith((b"one:", b"two:*:")) for key in client.scan_iter())


async def test_nothing_is_left_of_a_deleted_thread(redis_url: str) -> None:
    async with opened(redis_url) as store:
        for _ in range(4):
            begun = await store.begin_run(record())
            await store.append(begun, 0, [b"1"], ending=ending(1, b"1"))
        await store.begin_run(record())
        await store.delete_thread("ann", "t")
        with redis.Redis.from_url(redis_url) as client:
            assert set(client.scan_iter()) == {b"copilotkit:size", b"copilotkit:version"}
            assert client.get("copilotkit:size") == b"0"


async def test_a_newer_layout_is_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("copilotkit:version", "2")
    async with opened(redis_url) as store:
        for attempt in (store.begin_run(record()), store.list_threads("ann")):
            with pytest.raises(StoreUnusableError) as caught:
                await attempt
            assert str(caught.value) == (
                "The Redis store has layout 2, and this version of copilotkit-runtime-py knows layout 1. "
                "Upgrade the package, or choose another prefix."
            )


async def test_a_layout_that_becomes_newer_is_not_written_to(redis_url: str) -> None:
    async with opened(redis_url) as store:
        await store.list_threads("ann")
        with redis.Redis.from_url(redis_url) as client:
            client.set("copilotkit:version", "2")
        with pytest.raises(StoreUnusableError):
            await store.begin_run(record())


async def test_nothing_shows_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(f"redis://user:hunter2@127.0.0.1:{free_port()}/0") as store:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.list_threads("ann")
        with pytest.raises(StoreUnavailableError):
            async with store.watch("t", Heard()):
                pass
        shown = [repr(store), str(store), repr(caught.value), repr(caught.value.__cause__), caplog.text]
    assert not [text for text in shown if "hunter2" in text]


async def test_the_log_says_why_the_server_fails_and_says_it_once(
    own_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("requirepass", "hunter2")
    async with opened(own_redis.url) as store:
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await store.list_threads("ann")
    assert caplog.messages == [
        "the state store cannot be reached: AuthenticationError Authentication required."
    ]


async def test_a_connection_may_be_encrypted(redis_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    plain = urlsplit(redis_url)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(65536):
                writer.write(data)

    async def decrypt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(plain.hostname, plain.port)
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    async with await asyncio.start_server(decrypt, "localhost", 0, ssl=context) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        url = f"rediss://localhost:{port}{plain.path}?ssl_ca_certs={tmp_path / 'ca.pem'}"
        async with opened(url) as store, opened(url.partition("?")[0]) as distrustful:
            run = await store.begin_run(record())
            heard = Heard()
            async with store.watch("t", heard):
                await store.append(run, 0, [b"1"])
                assert await heard.next() is Signal.EVENTS
            with pytest.raises(StoreUnavailableError):
                await distrustful.list_threads("ann")


@pytest.mark.parametrize("url", ["redis://:hunter/2@host:6379", "http://:hunter2@host", "redis://host?db=x"])
async def test_a_url_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^The URL of the Redis store is not valid\.$") as caught:
        RedisStateStore(url)
    assert caught.value.__suppress_context__


async def test_one_of_many_claims_succeeds(redis_url: str) -> None:
    async with opened(redis_url) as one, opened(redis_url) as two:
        claims = [store.begin_run(record(id=str(n))) for n in range(20) for store in (one, two)]
        results = await asyncio.gather(*claims, return_exceptions=True)
        assert (
            sorted(type(result).__name__ for result in results)
            == ["RunRecord"] + [ThreadBusyError.__name__] * 39
        )


async def test_one_of_many_takes_over_a_run_whose_lease_has_run_out(redis_url: str) -> None:
    async with opened(redis_url, lease_seconds=0.0) as gone, opened(redis_url) as store:
        run = await gone.begin_run(record())
        await gone.append(run, 0, [b"1"])
        heirs = [replace(run, producer=str(n)) for n in range(20)]
        results = await asyncio.gather(
            *(store.append(heir, 1, [b"2"], ending=ending()) for heir in heirs), return_exceptions=True
        )
        assert sorted(map(type, results), key=str) == [RunLostError] * 19 + [AppendResult]
        assert [log.events for log in await store.read_runs("ann", "t")] == [[b"1", b"2"]]
