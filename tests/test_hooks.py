"""Hooks are plain or async functions."""

from __future__ import annotations

import asyncio

import pytest

from copilotkit_runtime_py.hooks import call_hook

pytestmark = pytest.mark.anyio


async def test_a_plain_hook_is_called() -> None:
    heard: list[str] = []
    await call_hook(heard.append, "x")
    assert heard == ["x"]


async def test_an_async_hook_is_awaited() -> None:
    heard: list[str] = []

    async def hook(event: str) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    await call_hook(hook, "x")
    assert heard == ["x"]


async def test_an_object_that_returns_something_to_await_is_a_hook() -> None:
    heard: list[str] = []

    async def later(event: str) -> None:
        heard.append(event)

    await call_hook(lambda event: later(event), "x")
    assert heard == ["x"]


async def test_no_hook_is_called_where_there_is_none() -> None:
    await call_hook(None, "x")


async def test_what_a_hook_raises_passes_through() -> None:
    def plain(event: str) -> None:
        raise ValueError(event)

    async def later(event: str) -> None:
        raise ValueError(event)

    for hook in (plain, later):
        with pytest.raises(ValueError, match="x"):
            await call_hook(hook, "x")
