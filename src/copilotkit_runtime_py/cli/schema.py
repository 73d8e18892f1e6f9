"""`schema`: the GraphQL contract, for code generators and the curious."""

from __future__ import annotations

from importlib.resources import files

import click

from ..protocols import graphql


@click.command("schema", epilog="Example:  copilotkit-runtime-py schema > schema.graphql")
@click.option(
    "--operations", is_flag=True, help="Print the operations that CopilotKit's client sends instead."
)
def command(operations: bool) -> None:
    """Print the GraphQL schema (SDL) that every runtime serves."""
    name = "operations.graphql" if operations else "schema.graphql"
    contract = files(graphql).joinpath("contract", name)
    click.echo(contract.read_text(encoding="utf-8"), nl=False)
