"""`threads import`: recordings, and threads that only an agent's own memory has."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from ..app.settings import Settings, SettingsError, find_config, parse_agents
from ..context import ANONYMOUS
from ..errors import AgentError, StoreUnavailableError, StoreUnusableError
from ..providers.base import Provider, RememberedThread
from ..providers.target import load_target
from ..recording import ThreadRecording
from ..runs.imports import import_thread
from ..runs.recordings import import_recording
from ..state_store.base import StateStore
from ..state_store.from_url import MEMORY, open_state_store
from . import options
from .plain_errors import plain_errors
from .printable import in_a_line
from .store import place_of, store_url

Described: TypeAlias = tuple[str | None, str | None] | None
Describe: TypeAlias = Callable[[RememberedThread], Described | Awaitable[Described]]

# How many threads are in memory at once.
_BATCH: Final = 16
_TOLD_FAILURES: Final = 5


@click.command(
    "import",
    epilog="Example:  copilotkit-runtime-py threads import thread.jsonl",
    short_help="Import threads that were recorded, or that only an agent's own memory has.",
)
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--agent",
    "names",
    multiple=True,
    metavar="NAME[=TARGET]",
    help="The agent that remembers the threads: the name of one in langgraph.json or COPILOTKIT_AGENTS, "
    "or a name and a target; repeatable.",
)
@options.settings("store", "config")
@click.option(
    "--owner",
    default=ANONYMOUS,
    show_default=True,
    metavar="ID",
    help="The user who gets the threads that have no owner on record.",
)
@click.option(
    "--describe",
    metavar="TARGET",
    help="A function (package.module:function or path/file.py:function) that takes a thread and returns its "
    "owner and its name, each of which may be None, or None to leave the thread out.",
)
def command(
    files: tuple[Path, ...],
    names: tuple[str, ...],
    store: str | None,
    config: Path | None,
    owner: str,
    describe: str | None,
) -> None:
    """Import recordings (FILES), or the threads that only an agent's own memory has (--agent).

    The latter are the threads of a LangGraph checkpointer or server. Threads that the store has stay as they
    are, so the command can be repeated.
    """
    if bool(files) is bool(names):
        raise click.UsageError("Name either recordings (order.jsonl) or agents (--agent NAME).")
    with plain_errors(), contextlib.redirect_stdout(sys.stderr):
        url = store_url(store)
        if url == MEMORY:
            raise SettingsError("Threads in memory end with the process: name another store with --store.")
        recordings = {file: ThreadRecording.load(file) for file in files}
        agents = _agents(names, config) if names else {}
        described: Describe = load_target(describe) if describe is not None else _by_record
    if recordings:
        asyncio.run(_import_recordings(url, recordings, owner))
    elif asyncio.run(_import_all(url, agents, owner, described)):
        raise SystemExit(1)


def _agents(names: tuple[str, ...], config: Path | None) -> dict[str, Provider]:
    """Loads the agents, and returns those that are named.

    Raises:
        SettingsError: there is no agent of a name.
        TargetError: an agent cannot be loaded.
    """
    from ..app.application import load_agents  # late: it imports all that serves

    given = parse_agents(name for name in names if "=" in name)
    wanted = [name.partition("=")[0] for name in names]
    if given.keys() >= set(wanted):
        settings = Settings(agents=given, config=config)
    else:
        known = Settings.from_environment()
        agents = {**known.agents, **given}
        settings = Settings(agents=agents, config=config or known.config or find_config())
    loaded = load_agents(settings)
    for name in wanted:
        if name not in loaded:
            there = ", ".join(loaded) or "none"
            raise SettingsError(f"The agent '{name}' is not known. Write NAME=TARGET, or one of: {there}.")
    return {name: loaded[name] for name in wanted}


def _by_record(thread: RememberedThread) -> Described:
    """Leaves a thread to the owner who is on record, and without a name."""
    return None, None


async def _import_recordings(url: str, recordings: dict[Path, ThreadRecording], owner: str) -> None:
    opened = open_state_store(url)
    try:
        for file, recording in recordings.items():
            imported = await import_recording(opened, recording, owner, file.stem)
            found = in_a_line(recording.thread_id)
            click.echo(f"{file}: {'imported' if imported else 'there already'} as {found}.")
    except StoreUnavailableError as error:
        raise click.ClickException(f"The store at {place_of(url)} cannot be reached.") from error
    finally:
        await opened.aclose()


async def _import_all(url: str, agents: dict[str, Provider], owner: str, describe: Describe) -> bool:
    """Imports the threads of agents, and returns whether something failed."""
    opened = open_state_store(url)
    failed = False
    try:
        for name, provider in agents.items():
            provider.use_store(opened.url, name)
            counts = await _import(opened, name, provider, owner, describe)
            failed = failed or bool(counts["failed"])
    except AgentError as error:
        raise click.ClickException(error.message) from error
    except StoreUnusableError as error:
        raise click.ClickException(str(error)) from error
    except StoreUnavailableError as error:
        raise click.ClickException(f"The store at {place_of(url)} cannot be reached.") from error
    finally:
        for provider in agents.values():
            await provider.aclose()
        await opened.aclose()
    return failed


async def _import(
    store: StateStore, name: str, provider: Provider, owner: str, describe: Describe
) -> Counter[str]:
    counts: Counter[str] = Counter()

    async def one(thread: RememberedThread) -> str:
        try:
            described: Any = describe(thread)
            if inspect.isawaitable(described):
                described = await described
            if described is None:
                return "left out"
            its_owner, title = described
            its_owner = its_owner or thread.snapshot.owner or owner
            imported = await import_thread(store, name, thread, its_owner, title)
            return "imported" if imported else "there already"
        except StoreUnavailableError:
            raise
        except Exception as error:  # one thread that is malformed must not hide all others
            if counts["failed"] < _TOLD_FAILURES:
                line = in_a_line(f"{thread.id}: {type(error).__name__}: {error}")
                click.echo(f"\n{line}", err=True)
            return "failed"

    total = await provider.count_threads()
    label = f"Threads of {name}"
    with click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True) as progress:
        async for batch in _batches(provider.remembered_threads()):
            counts.update(await asyncio.gather(*map(one, batch)))
            progress.update(len(batch))
    found = ", ".join(f"{counts[what]} {what}" for what in counts) or "none"
    click.echo(f"{name}: {found}.")
    return counts


async def _batches(threads: AsyncIterator[RememberedThread]) -> AsyncIterator[list[RememberedThread]]:
    batch: list[RememberedThread] = []
    async for thread in threads:
        batch.append(thread)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
