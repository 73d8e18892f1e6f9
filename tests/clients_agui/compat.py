"""What the newest packages of CopilotKit do differently from those that the tests pin.

`python -m tests.clients_agui.compat` installs the newest packages in a directory of their own, and compares
the GraphQL schema, the GraphQL client's documents, `/info`, and the requests of the AG-UI client, by REST
paths and by single route. It also compares the versions of the packages that are watched (`watched.py`). It
prints the differences, and exits with 1 if there are any.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.clients_agui import watched
from tests.clients_agui.node import ENVIRONMENT, HERE
from tests.npm import install

RUNTIME, CLIENT, CORE = "@copilotkit/runtime", "@copilotkit/runtime-client-gql", "@copilotkit/core"
PINNED_CORE = "core-1.75.0"


def told_by(directory: Path, core: str) -> dict[str, str]:
    """Returns what the packages say that are installed in a directory, by subject.

    Raises:
        subprocess.CalledProcessError: they cannot be used as before.
    """
    done = subprocess.run(
        ["node", str(HERE / "compat.mjs"), RUNTIME, CLIENT, core],
        cwd=directory,
        env={**os.environ, **ENVIRONMENT},
        check=True,
        stdout=subprocess.PIPE,
        timeout=120,
    )
    told: dict[str, str] = json.loads(done.stdout)
    return told


def versions(directory: Path, *packages: str) -> dict[str, str]:
    """Returns the versions of packages that are installed in a directory."""
    found = {}
    for package in packages:
        text = (directory / "node_modules" / package / "package.json").read_text(encoding="utf-8")
        found[package] = json.loads(text)["version"]
    return found


def differences(pinned: dict[str, str], newest: dict[str, str]) -> str:
    """Returns a unified diff over all subjects: empty where nothing has changed."""
    lines: list[str] = []
    for subject in sorted(pinned.keys() | newest.keys()):
        before, after = (told.get(subject, "").splitlines(keepends=True) for told in (pinned, newest))
        lines += difflib.unified_diff(before, after, f"pinned/{subject}", f"newest/{subject}")
    return "".join(lines)


@click.command()
@click.option("--version", default="latest", show_default=True, help="The version or tag to compare with.")
def main(version: str) -> None:
    """Says what the newest packages of CopilotKit do differently from the pinned ones."""
    install(HERE)
    pinned = told_by(HERE, PINNED_CORE) | watched.known()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        packages = [f"{package}@{version}" for package in (RUNTIME, CLIENT, CORE)]
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", *options, *packages], cwd=directory, check=True)
        for package, number in versions(directory, RUNTIME, CLIENT, CORE).items():
            click.echo(f"{package} {number}")
        changed = differences(pinned, told_by(directory, CORE) | watched.newest())
    click.echo(changed or "Nothing has changed in schema, documents, /info, requests and watched packages.")
    if changed:
        sys.exit(1)


if __name__ == "__main__":
    main()
