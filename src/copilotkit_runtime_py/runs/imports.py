"""Import of threads that only an agent's own memory has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ..agui import events
from ..agui.events import Event, as_text
from ..errors import ThreadBusyError, ThreadNotFoundError
from ..providers.base import RememberedThread
from ..state_store.base import RunRecord, StateStore
from .completion import ending_of

RUN_ID: Final = "imported"
"""The id of the run that an imported thread begins with."""

_BEYOND: Final = 2**31 - 1


async def import_thread(
    store: StateStore, agent_name: str, thread: RememberedThread, owner: str, name: str | None
) -> bool:
    """Imports a thread into the store, as one run with the messages of the agent's memory.

    Args:
        store: the store.
        agent_name: the agent's registered name.
        thread: the thread.
        owner: who owns it from now on.
        name: what its owner calls it, if anything.

    Returns:
        Whether it was imported. A thread that the store has stays as it is, also another owner's.

    Raises:
        StoreUnavailableError: the store cannot be reached.
    """
    # The same id each time, so that a repeated import completes one that was interrupted.
    producer = f"import of {thread.id}"
    last = await store.read_runs(owner, thread.id, since=-1, position=_BEYOND)
    if last and (last[0].ended or last[0].run.producer != producer):
        return False
    record = RunRecord(
        id=RUN_ID,
        thread_id=thread.id,
        agent_name=agent_name,
        owner=owner,
        started_at=thread.created_at,
        producer=producer,
    )
    try:
        record = await store.begin_run(record)
    except (ThreadNotFoundError, ThreadBusyError):
        return False
    if name is not None:
        await store.update_thread(owner, thread.id, name=name)
    log = _log(thread)
    data = [events.encode(event) for event in log]
    ending = replace(ending_of(log, (), {}), changed_at=thread.updated_at)
    await store.append(record, 0, data, ending=ending)
    return True


def _log(thread: RememberedThread) -> list[Event]:
    found = thread.snapshot
    return [
        events.run_started(thread.id, RUN_ID),
        events.state_snapshot(found.state),
        events.messages_snapshot(found.messages),
        *(events.custom("on_interrupt", _announced(interrupt)) for interrupt in found.interrupts),
        events.run_finished(thread.id, RUN_ID, found.interrupts),
    ]


def _announced(interrupt: dict[str, Any]) -> str:
    """Returns an interrupt as older clients read it: its value, as text."""
    raw = interrupt.get("metadata", {}).get("langgraph", {}).get("raw", interrupt.get("message"))
    return as_text(raw)
