"""The frozen GraphQL contract, taken anew from the npm packages.

`python -m tests.clients.contract` rewrites the snapshot and says what changed; with `--check` it only says
so, and exits with 1 if anything did. `--version` asks another version of the packages than the pinned one.
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

from tests.clients.node import HERE, QUIET
from tests.npm import install

CONTRACT = Path(__file__).parents[2] / "src/copilotkit_runtime_py/protocols/graphql/contract"
RUNTIME, CLIENT = "@copilotkit/runtime", "@copilotkit/runtime-client-gql"
PINNED = "1.10.6"


def contract_of(directory: Path, client: str) -> dict[str, str]:
    """Returns the contract's files, by name, of the packages installed in a directory."""
    command = ["node", str(HERE / "contract.mjs"), RUNTIME, client]
    environment = {**os.environ, **QUIET}
    told = subprocess.run(
        command, cwd=directory, env=environment, check=True, capture_output=True, timeout=60
    )
    contract = json.loads(told.stdout)
    return {
        "schema.graphql": contract["schema"] + "\n",
        "operations.graphql": "\n\n".join(contract["documents"]) + "\n",
    }


def take(version: str) -> dict[str, str]:
    """Returns the contract's files of a version, installing its packages if they are not the pinned ones."""
    if version == PINNED:
        install(HERE)
        return contract_of(HERE, f"client-{PINNED}")
    with tempfile.TemporaryDirectory() as directory:
        packages = [f"{RUNTIME}@{version}", f"{CLIENT}@{version}"]
        subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", *packages], cwd=directory, check=True
        )
        return contract_of(Path(directory), CLIENT)


def changes(contract: dict[str, str]) -> str:
    """Returns a unified diff from the snapshot to a contract: empty if they are equal."""
    lines: list[str] = []
    for name, text in contract.items():
        frozen = (CONTRACT / name).read_text(encoding="utf-8")
        lines += difflib.unified_diff(
            frozen.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"snapshot/{name}",
            f"npm/{name}",
        )
    return "".join(lines)


@click.command()
@click.option("--version", default=PINNED, show_default=True, help="The version of the npm packages.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if the contract differs.")
def main(version: str, check: bool) -> None:
    """Takes the GraphQL contract from the npm packages and says what changed since the snapshot."""
    contract = take(version)
    difference = changes(contract)
    click.echo(difference or f"The contract is that of {RUNTIME} {version}.")
    if difference and check:
        sys.exit(1)
    if difference:
        for name, text in contract.items():
            (CONTRACT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
