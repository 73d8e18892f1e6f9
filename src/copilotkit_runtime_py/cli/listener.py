"""The socket that a server listens on."""

from __future__ import annotations

import errno
import os
import socket

import click

DEFAULT_PORT = 8000

# How long the kernel keeps what a client does not read before it ends the connection: an application that has
# left a client cannot take back what is on its way.
_UNREAD_SECONDS = 120


def listen(host: str, port: int) -> socket.socket:
    """Listens on a port; on port 0, on any free one.

    Raises:
        click.ClickException: the port is taken, or the address is not this machine's.
    """
    try:
        return _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(
                f"Port {port} on {host} is taken by another program. Choose another one with --port."
            ) from error
        raise click.ClickException(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}."
        ) from error


def listen_near(host: str, port: int | None) -> socket.socket:
    """Listens on a port; without one on the default port, or where that is taken on the next free one.

    Raises:
        click.ClickException: the ports are taken, or the address is not this machine's.
    """
    if port is not None:
        return listen(host, port)
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        try:
            listener = _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise click.ClickException(f"Cannot listen on {host}: {error.strerror or error}.") from error
        if port != DEFAULT_PORT:
            click.secho(f"Port {DEFAULT_PORT} is taken: using {port}.", fg="yellow", err=True)
        return listener
    raise click.ClickException(f"The ports from {DEFAULT_PORT} to {port} are taken. Choose one with --port.")


def url_of(host: str, listener: socket.socket, path: str) -> str:
    """Returns the URL under which a server answers that listens on a host."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{path}"


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
        listener.bind(address)
        listener.set_inheritable(True)
    except OSError:
        listener.close()
        raise
    return listener
