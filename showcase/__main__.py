"""Serves the showcase: `python -m showcase`."""

from __future__ import annotations

import logging
import socket

import click
import uvicorn

from .app import create_app


@click.command()
@click.option("--port", default=8000, show_default=True, help="The port to listen on; 0 picks a free one.")
@click.option(
    "--store",
    default="sqlite:///showcase/threads.db",
    show_default=True,
    help="Where threads are stored: memory, or a URL.",
)
def main(port: int, store: str) -> None:
    """Serve the showcase on this machine until Ctrl-C."""
    # Before FastMCP, which formats the whole process's log otherwise.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise click.ClickException(f"Port {port} is in use: choose another with --port.") from error
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(create_app(url, store), log_level="warning"))
        click.echo(f"Showcase: {url}")
        server.run([listener])


main()
