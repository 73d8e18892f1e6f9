"""Who blocks the event loop is logged."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.runs.loop_watchdog import LoopWatchdog
from copilotkit_runtime_py.runs.run import Run

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")


async def started(runtime: CopilotRuntime) -> Run:
    asked = RunAgentInput(
        thread_id="t", run_id="r1", state={}, messages=[], tools=[], context=[], forwarded_props={}
    )
    return await runtime.start("slow", asked, ANN)


async def sleepy(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m")
    await asyncio.sleep(0)
    time.sleep(1)  # noqa: ASYNC251
    yield events.text_end("m")


async def busy(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m")
    sum(range(20_000_000))  # one call that holds the interpreter lock
    sum(range(20_000_000))
    sum(range(20_000_000))
    sum(range(20_000_000))
    yield events.text_end("m")


async def nested(input: RunAgentInput) -> AsyncIterator[Event]:
    async def tool() -> None:
        time.sleep(1)  # noqa: ASYNC251

    yield events.text_start("m")
    await asyncio.create_task(tool())
    yield events.text_end("m")


def reports(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if each.name.endswith("loop_watchdog")]


@pytest.mark.parametrize(
    ("agent", "line"), [(sleepy, "time.sleep(1)"), (busy, "sum("), (nested, "time.sleep(1)")]
)
async def test_who_blocks_the_loop_is_logged_once_with_agent_run_and_stack(
    caplog: pytest.LogCaptureFixture, agent: Any, line: str
) -> None:
    async with aclosing(CopilotRuntime({"slow": agent})) as runtime:
        await (await started(runtime)).wait()
        await asyncio.sleep(0.3)

    how_long, who = sorted(reports(caplog), key=logging.LogRecord.getMessage, reverse=True)
    assert "by agent slow, run r1" in who.getMessage()
    assert line in who.getMessage()
    assert (who.agent, who.runId) == ("slow", "r1")  # type: ignore[attr-defined]
    assert how_long.getMessage().startswith("the event loop was blocked for ")


async def test_a_run_that_waits_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def patient(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        await asyncio.sleep(0.9)
        yield events.text_end("m")

    async with aclosing(CopilotRuntime({"slow": patient})) as runtime:
        await (await started(runtime)).wait()
    assert reports(caplog) == []


async def test_a_watchdog_that_is_closed_and_used_again_has_one_thread() -> None:
    before = set(threading.enumerate())
    watchdog = LoopWatchdog(lambda: False)
    watchdog.watch()
    (first,) = set(threading.enumerate()) - before
    watchdog.close()
    watchdog.watch()
    await asyncio.to_thread(first.join, 10)
    assert not first.is_alive()
    watchdog.close()
