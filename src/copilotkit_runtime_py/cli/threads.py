"""`threads`: the threads in a store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from ..app.settings import Settings, SettingsError, find_config, parse_agents
from ..context import ANONYMOUS, RequestContext
from ..errors import ConfigurationError, StoreUnavailableError, StoreUnusableError, ThreadNotFoundError
from ..runs.recordings import recording_of
from ..runs.title import title_of
from ..state_store.base import AgentState, RunLog, StateStore, ThreadRecord
from ..state_store.from_url import MEMORY, open_state_store, scheme_of, sqlite_path
from . import options, thread_import
from .plain_errors import plain_errors
from .printable import in_a_line, printable
from .store import DEFAULT_STORE, place_of

T = TypeVar("T")

_owner = click.option(
    "--owner", default=ANONYMOUS, show_default=True, metavar="ID", help="The owner of the threads."
)


# So many threads are named where several fit.
_NAMED_THREADS: Final = 8


def _example(arguments: str) -> str:
    return f"Example:  copilotkit-runtime-py threads {arguments}"


@click.group("threads", epilog=_example("list"))
def command() -> None:
    """List, show, export, import and delete the threads of a store."""


command.add_command(thread_import.command)


@command.command("list", epilog=_example("list --owner alice --archived"))
@options.settings("store")
@_owner
@click.option("--agent", metavar="NAME", help="Only threads on which this agent ran last.")
@click.option("--archived", is_flag=True, help="Include archived threads.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="The most to list.")
@options.as_json
def list_(
    store: str | None, owner: str, agent: str | None, archived: bool, limit: int, as_json: bool
) -> None:
    """List an owner's threads, the one with the latest run first."""

    async def work(opened: StateStore) -> list[tuple[ThreadRecord, str]]:
        threads = await opened.list_threads(owner, agent, include_archived=archived, limit=limit)
        return [(thread, await _title(opened, owner, thread)) for thread in threads]

    threads = _within(store, work)
    if as_json:
        _print_json([{**_record(thread), "title": title} for thread, title in threads])
    elif threads:
        rows = [
            (_time(each.last_run_at), *map(in_a_line, (each.id, each.agent_name, _marked(title, each))))
            for each, title in threads
        ]
        click.echo("\n".join(_aligned([("LAST RUN", "ID", "AGENT", "TITLE"), *rows])))
    else:
        click.echo(f"'{owner}' has no threads here. --owner names another user.", err=True)


@command.command("show", epilog=_example("show 3f2a"), short_help="Show a thread's conversation.")
@click.argument("id")
@options.settings("store")
@_owner
def show(id: str, store: str | None, owner: str) -> None:
    """Show a thread's conversation.

    ID is the thread's id, or how it begins if no other thread's id begins so.
    """
    thread, logs, state = _within(store, lambda opened: _read(opened, owner, id))
    title = _marked(thread.name or title_of(state.messages) or thread.id, thread)
    click.echo(click.style(in_a_line(title), bold=True))
    runs = f"{len(logs)} run{'s' if len(logs) != 1 else ''}"
    busy = ", the last one in progress" if logs and not logs[-1].ended else ""
    click.echo(f"{thread.agent_name}, {runs}{busy}, last run {_time(thread.last_run_at)}\n")
    for message in state.messages:
        click.echo(click.style(f"{message['role']}: ", fg="cyan") + printable(_said(message)))
    for interrupt in state.interrupts:
        asked = interrupt.get("message") or interrupt.get("reason") or interrupt.get("id")
        click.echo(click.style("waits for an answer: ", fg="yellow") + in_a_line(str(asked)))


@command.command(
    "export",
    epilog=_example("export 3f2a --output thread.jsonl"),
    short_help="Export a thread as a recording.",
)
@click.argument("id")
@options.settings("store")
@_owner
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file.  [default: standard output]",
)
def export(id: str, store: str | None, owner: str, output: Path | None) -> None:
    """Export a thread as a recording: its runs as AG-UI events, one per line, without credentials.

    ID is the thread's id, or how it begins if no other thread's id begins so. 'serve --agent NAME=FILE.jsonl'
    plays a recording, 'threads import' brings it into a store.
    """
    thread, logs, _ = _within(store, lambda opened: _read(opened, owner, id))
    lines = recording_of(thread, logs).lines()
    if output is None:
        for line in lines:
            click.echo(line)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror or error}.") from error


@command.command(
    "delete",
    epilog=_example("delete 3f2a 90c1 --agent my_agent.py:graph"),
    short_help="Delete threads, and what agents remember of them.",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@options.settings("store")
@_owner
@options.settings("agents", "config")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(
    ids: tuple[str, ...],
    store: str | None,
    owner: str,
    agents: tuple[str, ...],
    config: Path | None,
    yes: bool,
) -> None:
    """Delete threads, and what the agents named or found remember of them.

    ID is a thread's id, or how it begins if no other thread's id begins so. A run in progress is stopped.
    """
    from ..app.application import load_agents  # late: it imports all that serves
    from ..runtime import CopilotRuntime

    with plain_errors(), contextlib.redirect_stdout(sys.stderr):
        settings = Settings(agents=parse_agents(agents), config=config or (None if agents else find_config()))
        loaded = load_agents(settings)

    async def find(opened: StateStore) -> list[tuple[str, str]]:
        threads = [await _find(opened, owner, id) for id in ids]
        return [(thread.id, await _title(opened, owner, thread)) for thread in threads]

    threads = dict(_within(store, find))
    if not yes:
        listed = ", ".join(in_a_line(f"{id} ({title})" if title else id) for id, title in threads.items())
        click.confirm(f"Permanently delete {listed}, owned by '{owner}'?", abort=True)

    async def work(opened: StateStore) -> None:
        runtime = CopilotRuntime(agents=loaded, state_store=opened)
        try:
            for id in threads:
                await runtime.delete_thread(id, RequestContext(owner=owner))
                click.echo(f"Deleted {in_a_line(id)}.")
        finally:
            await runtime.aclose()

    _within(store, work)
    if not loaded:
        click.echo("What an agent itself remembers stays: name it with --agent or --config.", err=True)


def _within(store: str | None, work: Callable[[StateStore], Awaitable[T]]) -> T:
    """Does something with a store. Prints an error in one line."""

    async def run() -> T:
        async with _opened(url) as opened:
            return await work(opened)

    with plain_errors():
        url = _existing(store)
        try:
            return asyncio.run(run())
        except ThreadNotFoundError as error:
            raise click.ClickException(f"{error.message} --owner names another user.") from error
        except StoreUnusableError:
            raise
        except StoreUnavailableError as error:
            cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
            raise click.ClickException(f"The store at {place_of(url)} cannot be reached{cause}.") from error


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[StateStore]:
    store = open_state_store(url)
    try:
        yield store
    finally:
        await store.aclose()


def _existing(given: str | None) -> str:
    """Returns the URL of a store that may hold something.

    Raises:
        SettingsError: it is in the memory of another process.
        ConfigurationError: there is no such file.
    """
    url = given or DEFAULT_STORE
    if url == MEMORY:
        raise SettingsError("Threads in memory are within the server: name another store with --store.")
    if scheme_of(url) == "sqlite" and not sqlite_path(url).is_file():
        raise ConfigurationError(f"The file {sqlite_path(url)} does not exist: name the store with --store.")
    return url


async def _find(store: StateStore, owner: str, given: str) -> ThreadRecord:
    """Returns the thread of an id, or the only one whose id begins like this.

    Raises:
        ThreadNotFoundError: the owner has no such thread.
        click.ClickException: several ids begin like this.
    """
    threads = await store.list_threads(owner, include_archived=True)
    found = [thread for thread in threads if thread.id == given]
    found = found or [thread for thread in threads if given and thread.id.startswith(given)]
    if not found:
        raise ThreadNotFoundError(given)
    if len(found) > 1:
        ids = ", ".join(in_a_line(thread.id) for thread in found[:_NAMED_THREADS])
        more = f" and {len(found) - _NAMED_THREADS} more" if len(found) > _NAMED_THREADS else ""
        raise click.ClickException(f"Several threads begin with '{given}': {ids}{more}.")
    return found[0]


async def _read(store: StateStore, owner: str, given: str) -> tuple[ThreadRecord, list[RunLog], AgentState]:
    thread = await _find(store, owner, given)
    logs = await store.read_runs(owner, thread.id)
    state = await store.load_state(owner, thread.id, thread.agent_name)
    return thread, logs, state or AgentState()


def _record(thread: ThreadRecord) -> dict[str, Any]:
    return {
        "id": thread.id,
        "name": thread.name,
        "agent": thread.agent_name,
        "archived": thread.archived,
        "createdAt": thread.created_at.isoformat(),
        "updatedAt": thread.updated_at.isoformat(),
        "lastRunAt": thread.last_run_at.isoformat(),
    }


def _said(message: dict[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
    calls = [
        f"{call['function']['name']}({call['function']['arguments']})"
        for call in message.get("toolCalls") or ()
    ]
    return " ".join(part for part in (text, *calls) if part)


async def _title(store: StateStore, owner: str, thread: ThreadRecord) -> str:
    """Returns the name of a thread, or the title that its next run will give it."""
    if thread.name:
        return thread.name
    state = await store.load_state(owner, thread.id, thread.agent_name)
    return (title_of(state.messages) if state is not None else None) or ""


def _marked(title: str, thread: ThreadRecord) -> str:
    return f"{title} (archived)".strip() if thread.archived else title


def _time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
