"""The command line `copilotkit-runtime-py`. Each command is a module, imported when the command is used.

Imports `app` and everything below it.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "agents": "List the agents that 'serve' would serve with the same options.",
    "demo": "Serve a demo agent that needs no API key.",
    "dev": "Serve agents while you write them, with reload, error texts and a playground.",
    "doctor": "Check the runtime at URL as each generation of clients would use it.",
    "init": "Write a small FastAPI app with a LangGraph agent and a React page into DIRECTORY.",
    "schema": "Print the GraphQL schema (SDL) that every runtime serves.",
    "serve": "Serve agents to CopilotKit frontends.",
    "threads": "List, show, export, import and delete the threads of a store.",
}
"""The commands and their help lines: `--help` shows them without importing what the commands need."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands in the help text."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="copilotkit-runtime-py")
def cli() -> None:
    """The CopilotKit runtime as one Python process."""


def main() -> None:
    """The entry point of the command."""
    cli()
