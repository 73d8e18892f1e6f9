"""Who hears of what happens to a thread, within one process."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial

import anyio
import anyio.to_thread
import pytest

from copilotkit_runtime_py.state_store.base import Signal
from copilotkit_runtime_py.state_store.signals import SignalBoard

pytestmark = pytest.mark.anyio

EVENTS, STOP = Signal.EVENTS, Signal.STOP


async def test_those_who_watch_a_key_hear_its_signals() -> None:
    board = SignalBoard()
    heard: list[tuple[str, Signal]] = []
    async with (
        board.watch("a", lambda signal: heard.append(("first", signal))),
        board.watch("a", lambda signal: heard.append(("second", signal))),
        board.watch("b", lambda signal: heard.append(("other", signal))),
    ):
        board.give("a", EVENTS)
        board.give("c", EVENTS)
        assert heard == []
        await asyncio.sleep(0)
        assert heard == [("first", EVENTS), ("second", EVENTS)]


async def test_a_signal_that_waits_for_its_turn_stands_for_several() -> None:
    board = SignalBoard()
    heard: list[Signal] = []
    async with board.watch("a", heard.append):
        for signal in (EVENTS, EVENTS, STOP, EVENTS):
            board.give("a", signal)
        await asyncio.sleep(0)
        board.give("a", EVENTS)
        await asyncio.sleep(0)
    assert heard == [EVENTS, STOP, EVENTS]


async def test_a_signal_given_by_a_listener_is_not_lost() -> None:
    board = SignalBoard()
    heard: list[Signal] = []

    def again(signal: Signal) -> None:
        heard.append(signal)
        if len(heard) < 3:
            board.give("a", signal)

    async with board.watch("a", again):
        board.give("a", EVENTS)
        for _ in range(4):
            await asyncio.sleep(0)
    assert heard == [EVENTS] * 3


async def test_who_has_left_hears_nothing_more() -> None:
    board = SignalBoard()
    heard: list[Signal] = []
    async with board.watch("a", heard.append):
        async with board.watch("a", heard.append):
            board.give("a", STOP)
        await asyncio.sleep(0)
        assert heard == [STOP]
        assert board.watched() == ["a"]
    board.give("a", STOP)
    await asyncio.sleep(0)
    assert (heard, board.watched()) == ([STOP], [])


async def test_a_listener_that_fails_disturbs_nobody() -> None:
    board = SignalBoard()
    heard: list[Signal] = []
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: failures.append(str(context["exception"]))
    )

    def fail(signal: Signal) -> None:
        raise RuntimeError("no")

    async with board.watch("a", fail), board.watch("a", heard.append):
        board.give("a", EVENTS)
        await asyncio.sleep(0)
    assert (heard, failures) == ([EVENTS], ["no"])


async def test_after_a_lost_connection_everybody_hears_everything_once() -> None:
    board = SignalBoard()
    heard: list[tuple[str, Signal]] = []
    async with (
        board.watch("a", lambda signal: heard.append(("a", signal))),
        board.watch("b", lambda signal: heard.append(("b", signal))),
    ):
        board.give_all()
        await asyncio.sleep(0)
    assert heard == [("a", EVENTS), ("a", STOP), ("b", EVENTS), ("b", STOP)]


async def test_a_signal_reaches_the_loop_of_another_thread() -> None:
    board = SignalBoard()
    heard = asyncio.Event()
    async with board.watch("a", lambda signal: heard.set()):
        await anyio.to_thread.run_sync(partial(board.give, "a", EVENTS))
        with anyio.fail_after(5):
            await heard.wait()


async def test_who_watches_from_a_loop_that_is_gone_is_passed_over() -> None:
    board = SignalBoard()

    async def watch() -> AbstractAsyncContextManager[None]:
        watching = board.watch("a", lambda signal: None)
        await watching.__aenter__()
        return watching

    loop = asyncio.new_event_loop()
    watching = await anyio.to_thread.run_sync(lambda: loop.run_until_complete(watch()))
    loop.close()
    board.give("a", EVENTS)
    assert board.watched() == ["a"]
    del watching
