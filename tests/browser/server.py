"""The real command as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_TO_SAY_SOMETHING = 60


class Server:
    """A `copilotkit-runtime-py` process, and everything it printed."""

    def __init__(self, *arguments: str) -> None:
        command = Path(sys.executable).with_name("copilotkit-runtime-py")
        # Neither the machine's settings nor its API keys change what the demo does.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("COPILOTKIT_") and not name.endswith("_API_KEY")
        }
        self._directory = tempfile.TemporaryDirectory()
        store = f"sqlite:///{self._directory.name}/threads.db"
        self._process = subprocess.Popen(
            [command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment, "PYTHONUNBUFFERED": "1", "COPILOTKIT_STORE": store},
        )
        self._said: list[str] = []
        self._over = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._changed:
                    self._said.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        with self._changed:
            return "".join(self._said)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Waits until the process has printed something that matches.

        Raises:
            TimeoutError: it has not for too long, or has ended.
        """
        found: re.Match[str] | None = None

        def matches() -> bool:
            nonlocal found
            found = re.search(pattern, "".join(self._said))
            return found is not None or self._over

        with self._changed:
            self._changed.wait_for(matches, SECONDS_TO_SAY_SOMETHING)
        if found is None:
            raise TimeoutError(f"The server never printed {pattern!r}. It printed:\n{self.output}")
        return found

    def close(self) -> None:
        """Ends the process and waits for it."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        self._directory.cleanup()


@contextmanager
def running(*arguments: str) -> Iterator[tuple[Server, str]]:
    """Runs the command on a free port; gives the server and the URL of its endpoint."""
    server = Server(*arguments, "--port", "0")
    try:
        url = server.wait_for(r"CopilotKit runtime.*: (http://\S+)")[1]
        yield server, url
    finally:
        server.close()


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[Server, str]]:
    """Runs the command like `running`, for tests in which nothing goes wrong.

    Raises:
        AssertionError: the server logged an error or a warning.
    """
    with running(*arguments) as (server, url):
        yield server, url
    complaints = re.findall(r"^(?:Traceback|ERROR|WARNING|Exception|Task ).*$", server.output, re.MULTILINE)
    # On a busy machine, the first import of a framework takes long enough for the watchdog.
    assert [each for each in complaints if "the event loop" not in each] == [], server.output
