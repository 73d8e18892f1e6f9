"""How the Redis store writes ids and times, and reads the answers of its scripts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..agui.lines import split
from .attachments import AttachmentRecord
from .base import Retention, RunLog, RunRecord, ThreadRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def log_of(owner: str, thread_id: str, run: list[Any], position: int, limit: int | None) -> RunLog:
    """Returns the log of a run from a script's answer."""
    number, (run_id, agent_name, started_at, producer), lease, compacted, *log = run
    record = RunRecord(
        id=decode(run_id),
        thread_id=thread_id,
        agent_name=decode(agent_name),
        owner=owner,
        started_at=time_of(started_at),
        number=number,
        producer=decode(producer),
    )
    if not log:
        return RunLog(run=record, events=split(compacted), compacted=True)
    events: list[bytes] = []
    for _, (_, text) in log[0]:
        events += split(text)
    if log[0] and position:
        del events[: position + 1 - int(log[0][0][0].partition(b"-")[0])]
    return RunLog(run=record, events=events[:limit], lease=None if lease is None else int(lease) / 1_000_000)


def thread_of(fields: list[Any]) -> ThreadRecord:
    """Returns a thread from a script's answer."""
    id, agent_name, name, archived, created_at, updated_at, ran_at = fields
    # The first time is by a worker's clock, the others are by the server's.
    created = time_of(created_at)
    return ThreadRecord(
        id=decode(id),
        agent_name=decode(agent_name),
        name=None if name is None else decode(name),
        archived=archived == b"1",
        created_at=created,
        updated_at=max(created, time_of(updated_at)),
        last_run_at=max(created, time_of(ran_at)),
    )


def attachment_of(fields: list[Any]) -> AttachmentRecord:
    """Returns a file's record from a script's answer."""
    id, owner, media_type, filename, size, created_at = fields
    return AttachmentRecord(
        id=decode(id),
        owner=decode(owner),
        media_type=decode(media_type),
        filename=None if filename is None else decode(filename),
        size=int(size),
        created_at=time_of(created_at),
    )


def bounds_of(retention: Retention) -> list[Any]:
    """Returns the bounds of a retention as the scripts take them."""
    age = None if retention.max_age is None else retention.max_age // _MICROSECOND
    bounds = (age, retention.max_threads, retention.max_runs_per_thread, retention.max_bytes)
    return ["" if bound is None else bound for bound in bounds]


def encode(text: str) -> bytes:
    """Returns a string as bytes. Ids are the client's choice, and may hold half of a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")


def decode(text: bytes) -> str:
    """Returns the string of `encode`."""
    return text.decode("utf-8", "surrogatepass")


def digest(text: str) -> str:
    """Returns a short name for an id or an owner of any length."""
    return hashlib.blake2b(encode(text), digest_size=20).hexdigest()


def since_epoch(time: datetime) -> int:
    """Returns a time in microseconds."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: bytes) -> datetime:
    """Returns a time from microseconds, which as a score may be in exponential notation."""
    return _EPOCH + int(float(microseconds)) * _MICROSECOND


def microseconds(seconds: float) -> int:
    """Returns seconds in microseconds."""
    return round(seconds * 1_000_000)
