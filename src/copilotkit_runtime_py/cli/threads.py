"""`threads`: what a store keeps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ..app.settings import Settings, SettingsError, find_config, parse_agents
from ..context import ANONYMOUS, RequestContext
from ..errors import ConfigurationError, StoreUnavailableError, StoreUnusableError, ThreadNotFoundError
from ..runs.recordings import recording_of
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


@click.group("threads")
def command() -> None:
    """List, show, export, import and delete the threads of a store."""


command.add_command(thread_import.command)


@command.command("list")
@options.settings("store")
@_owner
@click.option("--agent", metavar="NAME", help="Only threads on which this agent ran last.")
@click.option("--archived", is_flag=True, help="Include archived threads.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="The most to list.")
@options.as_json
def list_(
    store: str | None, owner: str, agent: str | None, archived: bool, limit: int, as_json: bool
) -> None:
    """List an owner's threads, the last changed first."""

    async def work(opened: StateStore) -> list[ThreadRecord]:
        return await opened.list_threads(owner, agent, include_archived=archived, limit=limit)

    threads = _within(store, work)
    if as_json:
        _print_json([_record(thread) for thread in threads])
    elif threads:
        rows = [
            (_time(each.updated_at), *map(in_a_line, (each.id, each.agent_name, _title(each))))
            for each in threads
        ]
        click.echo("\n".join(_aligned([("CHANGED", "ID", "AGENT", "NAME"), *rows])))
    else:
        click.echo(f"'{owner}' has no threads here. --owner names another user.", err=True)


@command.command("show")
@click.argument("id")
@options.settings("store")
@_owner
def show(id: str, store: str | None, owner: str) -> None:
    """Show a thread's conversation."""
    thread, logs, state = _within(store, lambda opened: _read(opened, owner, id))
    click.echo(click.style(in_a_line(_title(thread) or thread.id), bold=True))
    runs = f"{len(logs)} run{'s' if len(logs) != 1 else ''}"
    busy = ", the last one in progress" if logs and not logs[-1].ended else ""
    click.echo(f"{thread.agent_name}, {runs}{busy}, changed {_time(thread.updated_at)}\n")
    for message in state.messages:
        click.echo(click.style(f"{message['role']}: ", fg="cyan") + printable(_said(message)))
    for interrupt in state.interrupts:
        asked = interrupt.get("message") or interrupt.get("reason") or interrupt.get("id")
        click.echo(click.style("waits for an answer: ", fg="yellow") + in_a_line(str(asked)))


@command.command("export")
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

    'serve --agent NAME=FILE.jsonl' plays a recording, 'threads import' brings it into a store.
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


@command.command("delete")
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

    A run in progress is stopped.
    """
    from ..app.application import load_agents  # late: it imports all that serves
    from ..runtime import CopilotRuntime

    with plain_errors(), contextlib.redirect_stdout(sys.stderr):
        settings = Settings(agents=parse_agents(agents), config=config or (None if agents else find_config()))
        loaded = load_agents(settings)
    if not yes:
        click.confirm(f"Permanently delete {', '.join(ids)} owned by '{owner}'?", abort=True)

    async def work(opened: StateStore) -> None:
        runtime = CopilotRuntime(agents=loaded, state_store=opened)
        try:
            for id in ids:
                await runtime.delete_thread(id, RequestContext(owner=owner))
                click.echo(f"Deleted {id}.")
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


async def _read(store: StateStore, owner: str, id: str) -> tuple[ThreadRecord, list[RunLog], AgentState]:
    threads = await store.list_threads(owner, include_archived=True)
    thread = next((thread for thread in threads if thread.id == id), None)
    if thread is None:
        raise ThreadNotFoundError(id)
    logs = await store.read_runs(owner, id)
    state = await store.load_state(owner, id, thread.agent_name)
    return thread, logs, state or AgentState()


def _record(thread: ThreadRecord) -> dict[str, Any]:
    return {
        "id": thread.id,
        "name": thread.name,
        "agent": thread.agent_name,
        "archived": thread.archived,
        "createdAt": thread.created_at.isoformat(),
        "updatedAt": thread.updated_at.isoformat(),
    }


def _said(message: dict[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
    calls = [
        f"{call['function']['name']}({call['function']['arguments']})"
        for call in message.get("toolCalls") or ()
    ]
    return " ".join(part for part in (text, *calls) if part)


def _title(thread: ThreadRecord) -> str:
    return (thread.name or "") + (" (archived)" if thread.archived else "")


def _time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
