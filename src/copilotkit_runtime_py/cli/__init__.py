"""The command `copilotkit-runtime-py`: each command is a module."""

from __future__ import annotations

import click

from . import agents, demo, dev, doctor, init, schema, serve, threads


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="copilotkit-runtime-py")
def cli() -> None:
    """The CopilotKit runtime as one Python process."""


for _module in (agents, demo, dev, doctor, init, schema, serve, threads):
    cli.add_command(_module.command)


def main() -> None:
    """The entry point of the command."""
    cli()
