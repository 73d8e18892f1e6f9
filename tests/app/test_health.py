"""What an orchestrator is told."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from copilotkit_runtime_py import CopilotRuntime, Limits, create_health_router, create_router
from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.app.settings import Settings
from copilotkit_runtime_py.errors import StoreUnavailableError
from copilotkit_runtime_py.state_store.base import ThreadRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from copilotkit_runtime_py.state_store.sql.store import SQLStateStore
from tests.state_store.test_sqlite import files_of_at_most

pytestmark = pytest.mark.anyio


class Store(MemoryStateStore):
    """A store that may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.asked = 0

    async def list_threads(self, *arguments: Any, **options: Any) -> list[ThreadRecord]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return await super().list_threads(*arguments, **options)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def app_of(runtime: CopilotRuntime, path: str = "/api/copilotkit") -> FastAPI:
    def nobody() -> None:
        raise HTTPException(401, "Who are you?")

    app = FastAPI()
    app.include_router(create_health_router(runtime))
    app.include_router(create_router(runtime, path, identify=nobody))
    return app


async def asked(app: FastAPI) -> dict[str, tuple[int, Any]]:
    async with client_of(app) as client:
        answers = {path: await client.get(path) for path in ("/healthz", "/readyz")}
    assert {answer.headers["cache-control"] for answer in answers.values()} == {"no-store"}
    return {path: (answer.status_code, answer.json()) for path, answer in answers.items()}


@pytest.mark.parametrize("path", ["/api/copilotkit", "/"])
async def test_a_process_that_can_serve_says_so_without_credentials(path: str) -> None:
    runtime = CopilotRuntime({}, state_store=Store())
    assert await asked(app_of(runtime, path)) == {
        "/healthz": (200, {"status": "ok"}),
        "/readyz": (200, {"status": "ready"}),
    }


@pytest.mark.parametrize("error", [StoreUnavailableError(), ValueError("postgresql://ann:sesame@db")])
async def test_a_process_without_its_store_lives_and_is_not_ready(error: Exception) -> None:
    store = Store()
    store.error = error
    assert await asked(app_of(CopilotRuntime({}, state_store=store))) == {
        "/healthz": (200, {"status": "ok"}),
        "/readyz": (503, {"status": "store unavailable"}),
    }


async def test_a_store_that_does_not_answer_in_time_is_as_good_as_away() -> None:
    class Hanging(Store):
        async def list_threads(self, *arguments: Any, **options: Any) -> list[ThreadRecord]:
            await asyncio.Event().wait()
            return []

    runtime = CopilotRuntime({}, state_store=Hanging(), limits=Limits(store_seconds=0.01))
    assert (await asked(app_of(runtime)))["/readyz"] == (503, {"status": "store unavailable"})


async def test_a_process_that_is_about_to_end_lives_and_is_not_ready() -> None:
    runtime = CopilotRuntime({}, state_store=Store())
    await runtime.drain(0)
    assert await asked(app_of(runtime)) == {
        "/healthz": (200, {"status": "ok"}),
        "/readyz": (503, {"status": "draining"}),
    }


async def test_however_many_ask_the_store_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    store, loop = Store(), asyncio.get_running_loop()
    app = app_of(CopilotRuntime({}, state_store=store))
    async with client_of(app) as client:
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert store.asked == 1
        later = loop.time() + 1.5
        monkeypatch.setattr(loop, "time", lambda: later)
        store.error = StoreUnavailableError()
        assert (await client.get("/readyz")).status_code == 503
    assert store.asked == 2


async def test_the_commands_application_has_the_routes() -> None:
    assert (await asked(create_app(Settings())))["/readyz"] == (200, {"status": "ready"})


async def test_a_store_of_a_newer_release_is_logged_at_the_start_and_users_get_an_error_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/threads.db"
    async with aclosing(SQLStateStore(url)) as store:
        await store.list_threads("ann")
    with closing(sqlite3.connect(tmp_path / "threads.db")) as connection, connection:
        connection.execute("UPDATE copilotkit_schema SET version_num = '9876'")
    app = create_app(Settings(store=url, agents={"a": "copilotkit_runtime_py.demo.agent:agent"}))

    async with app.router.lifespan_context(app):
        for _ in range(100):
            if caplog.records:
                break
            await asyncio.sleep(0.01)
        at_start = len(caplog.records)
        assert (await asked(app))["/readyz"] == (503, {"status": "store unavailable"})
        async with client_of(app) as client:
            answer = await client.get("/api/copilotkit/threads", params={"agentId": "a"})

    (logged,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert at_start == 1
    assert logged.startswith("the state store cannot be used: The state store has schema version 9876,")
    error_id = logged.partition("(error id ")[2].removesuffix(")")
    assert answer.status_code == 503
    assert len(error_id) == 12
    assert error_id in answer.text
    assert "9876" not in answer.text


async def test_a_process_with_a_full_disk_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    async with aclosing(CopilotRuntime({}, state_store=f"sqlite:///{path}")) as runtime:
        assert (await asked(app_of(runtime)))["/readyz"][0] == 200
        with files_of_at_most((tmp_path / "threads.db-wal").stat().st_size):
            assert (await asked(app_of(runtime)))["/readyz"] == (503, {"status": "store unavailable"})
        assert (await asked(app_of(runtime)))["/readyz"][0] == 200
