"""What happens to the workers and to the database, and when: all of it follows from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

# How often each happens to a worker, and to the database, beside the others.
_WORKER_FAULTS: Final = {"kill": 14, "pause": 2, "terminate": 1, "slow disk": 1, "clock": 1}
_DATABASE_FAULTS: Final = {"kill": 4, "pause": 3, "slow disk": 2, "full disk": 2}
# The pauses between the faults of one process, in seconds.
_WORKER_PAUSES: Final = (0.3, 2.5)
_DATABASE_PAUSES: Final = (6.0, 15.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens.

    Attributes:
        at: when, in seconds from the start; later if the last one takes longer.
        kind: what.
        seconds: for how long.
        amount: how much, from 0 to 1.
    """

    at: float
    kind: str
    seconds: float
    amount: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that happens.

    Attributes:
        workers: what happens to each worker; of the last one, nobody asks for its end.
        database: what happens to the database; for SQLite, to its disk.
    """

    workers: list[list[Fault]]
    database: list[Fault]


def schedule(seed: int, seconds: float, *, workers: int, has_server: bool, lease_seconds: float) -> Schedule:
    """Returns the schedule of a seed.

    Args:
        seed: the seed.
        seconds: how long it lasts.
        workers: how many workers are killed; one more is not.
        has_server: whether the store is a server, which can be killed.
        lease_seconds: how long a lease is: some pauses are longer.
    """
    faults = {kind: weight for kind, weight in _DATABASE_FAULTS.items() if has_server or "disk" in kind}
    spared = {kind: weight for kind, weight in _WORKER_FAULTS.items() if kind not in ("kill", "terminate")}
    return Schedule(
        [
            *(
                _lane(f"{seed} worker {number}", seconds, _WORKER_FAULTS, _WORKER_PAUSES, 2 * lease_seconds)
                for number in range(workers)
            ),
            _lane(f"{seed} worker {workers}", seconds, spared, _DATABASE_PAUSES, 2 * lease_seconds),
        ],
        _lane(f"{seed} database", seconds, faults, _DATABASE_PAUSES, 2 * lease_seconds),
    )


def _lane(
    seed: str, seconds: float, weights: dict[str, int], pauses: tuple[float, float], longest: float
) -> list[Fault]:
    chance = random.Random(seed)
    lane: list[Fault] = []
    at = chance.uniform(*pauses)
    while at < seconds:
        kind = chance.choices(list(weights), list(weights.values()))[0]
        lasts = chance.uniform(0.05, 1.0) if kind == "kill" else chance.uniform(0.2, longest)
        lane.append(Fault(at, kind, lasts, chance.random()))
        at += lasts + chance.uniform(*pauses)
    return lane
