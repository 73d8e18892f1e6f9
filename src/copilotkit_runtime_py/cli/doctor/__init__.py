"""`doctor`: checks a runtime as each generation of clients would use it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import click
import httpx

from ...app.hosts import is_loopback
from ...app.settings import ANY_ORIGIN, LOCALHOST, SettingsError, check_origin
from .. import options
from ..printable import in_a_line
from . import agui, connection, cors, graphql, streaming
from .findings import NOT_SPOKEN, Check, Finding, examine
from .probe import Probe

CLIENTS: dict[str, tuple[str, Sequence[Check]]] = {
    "graphql": ("CopilotKit 1.8 to 1.10 (GraphQL)", graphql.CHECKS),
    "single-route": ("CopilotKit 1.50 and newer (single route)", agui.SINGLE_ROUTE_CHECKS),
    "rest": ("CopilotKit 1.50 and newer (paths below the URL)", agui.REST_CHECKS),
}
DEVELOPMENT_ORIGIN = "http://localhost:3000"
_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "yellow")}


EXAMPLES = """\b
Examples:
  copilotkit-runtime-py doctor http://127.0.0.1:8000/api/copilotkit
  copilotkit-runtime-py doctor https://app.example.com/api/copilotkit --origin https://www.example.com
"""


@click.command("doctor", epilog=EXAMPLES)
@click.argument("url")
@click.option(
    "--origin",
    metavar="ORIGIN",
    help="The origin of the page that uses the runtime.  [default: "
    f"{DEVELOPMENT_ORIGIN} for a runtime on this machine]",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header that the page sends, such as Authorization; repeatable.",
)
@click.option("--agent", metavar="NAME", help="The agent that the page asks for.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice(list(CLIENTS)),
    help="The generation of clients to stand in for; repeatable.  [default: all]",
)
@click.option(
    "--run",
    "message",
    metavar="MESSAGE",
    help="Say this to the agent, once over each contract, to measure how its answer arrives. Without it no "
    "agent is run.",
)
@click.option(
    "--timeout",
    "seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="How many seconds to wait for an answer.",
)
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    url: str,
    origin: str | None,
    headers: tuple[str, ...],
    agent: str | None,
    clients: tuple[str, ...],
    message: str | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Check the runtime at URL as each generation of clients would use it.

    Without --client, a contract that the runtime does not speak is reported, and is not a fault. The exit
    code is 0 if nothing is wrong, and 1 otherwise.
    """
    probe = Probe(
        _checked_url(url),
        headers=[_header(each) for each in headers],
        origin=_checked_origin(origin) or _origin_for(url),
        agent=agent,
        message=message,
        seconds=seconds,
    )
    try:
        found = _found(probe, clients or tuple(CLIENTS), optional=not clients)
        findings = list(found) if as_json else list(_printed(found))
    finally:
        probe.close()
    failed = [finding for finding in findings if finding.status == "failed"]
    if as_json:
        report = {"url": url, "ok": not failed, "checks": [dataclasses.asdict(each) for each in findings]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif failed:
        click.echo(f"\n{len(failed)} of {len(findings)} checks failed.")
    else:
        click.echo("\nNothing is wrong.")
    context.exit(1 if failed else 0)


def _found(probe: Probe, clients: Sequence[str], *, optional: bool) -> Iterator[Finding]:
    finding = None
    for finding in examine(probe, "Connection", connection.CHECKS):
        yield finding
    if finding is None or finding.check != connection.CHECKS[-1].name:
        return  # a necessary check has failed
    spoken = []
    for client in clients:
        group, checks = CLIENTS[client]
        for finding in examine(probe, group, checks, optional=optional):
            yield finding
        if not finding.detail.startswith(NOT_SPOKEN):
            spoken.append(client)
    clients = spoken
    origin_checks = (*cors.CHECKS, *cors.REST_CHECKS) if "rest" in clients else cors.CHECKS
    yield from examine(probe, "Pages of another origin (CORS)", origin_checks)
    if "rest" in clients:
        yield from examine(probe, "Streaming", streaming.REST_CHECKS)
    if "graphql" in clients:
        yield from examine(probe, "Streaming", streaming.GRAPHQL_CHECKS)


def _printed(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Prints findings as they come."""
    for group, members in groupby(findings, lambda finding: finding.group):
        click.secho(group, bold=True)
        for finding in members:
            mark, color = _MARKS[finding.status]
            cure = f". {finding.cure}" if finding.cure else ""
            line = in_a_line(f"{finding.check}: {finding.detail}{cure}")
            click.echo(f"  {click.style(mark, fg=color)} {line}")
            yield finding


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise click.UsageError(f"This is not a URL: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise click.UsageError("This is not a URL: write one such as http://127.0.0.1:8000/api/copilotkit.")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise click.UsageError("Pages use a URL without credentials, '?' and '#'. See --header.")
    return url


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[\w-]+", name.strip(), re.ASCII) or not value.isascii():
        raise click.UsageError(f"'{name}' is not a header: write 'Authorization: Bearer …'.")
    return name.strip(), value.strip()


def _checked_origin(origin: str | None) -> str | None:
    if origin is None:
        return None
    if origin in (ANY_ORIGIN, LOCALHOST):
        raise click.UsageError("Name one origin, such as https://app.example.com.")
    try:
        check_origin(origin)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    return origin


def _origin_for(url: str) -> str | None:
    return DEVELOPMENT_ORIGIN if is_loopback(httpx.URL(url).host) else None
