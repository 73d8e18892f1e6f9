"""Every store does what the published checks demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilotkit_runtime_py.state_store.base import Retention, StateStore
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from copilotkit_runtime_py.testing import Check, OpenStore, state_store_checks

pytestmark = pytest.mark.anyio

STORES = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("redis", marks=pytest.mark.redis),
]


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'threads.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def open_store(store_url: str) -> AsyncIterator[OpenStore]:
    stores: list[StateStore] = []

    def open_store(*, lease_seconds: float | None = None, retention: Retention | None = None) -> StateStore:
        stores.append(open_state_store(store_url, retention=retention, lease_seconds=lease_seconds or 30.0))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize("check", state_store_checks(), ids=lambda check: check.__name__)
async def test_a_store_on_disk_or_on_a_server(check: Check, open_store: OpenStore) -> None:
    await check(open_store)


@pytest.mark.parametrize("check", state_store_checks(leases=False), ids=lambda check: check.__name__)
async def test_the_store_in_memory(check: Check) -> None:
    stores: list[StateStore] = []

    def open_store(*, lease_seconds: float | None = None, retention: Retention | None = None) -> StateStore:
        if not stores:
            stores.append(MemoryStateStore(retention=retention or Retention()))
        return stores[0]

    await check(open_store)
