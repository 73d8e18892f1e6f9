"""A short torture on each store. `make torture` takes longer."""

from __future__ import annotations

import os

import pytest

from tests.torture.__main__ import report, torture
from tests.torture.schedule import schedule

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS = 25.0


@pytest.mark.parametrize(
    "store",
    [
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
    ],
)
async def test_nothing_is_lost_or_repeated_or_stuck_however_workers_and_databases_fail(store: str) -> None:
    seed = int(os.environ.get("TORTURE_SEED", "17"))
    truth, found = await torture(store, seed, SECONDS)
    assert not found, f"seed {seed}: {found}"
    assert truth.counts["worker: kill"], report(truth)
    assert truth.counts["RUN_FINISHED"] > 24


def test_a_seed_repeats_the_schedule() -> None:
    def planned(seed: int) -> object:
        return schedule(seed, 600.0, workers=2, has_server=True, lease_seconds=3.0)

    assert planned(1) == planned(1)
    assert planned(1) != planned(2)
