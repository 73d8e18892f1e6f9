"""The real AG-UI clients, in one Node process: each page in it is a browser tab of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import pytest

from tests.clients_agui.node import HERE

Transport: TypeAlias = Literal["auto", "rest", "single"]
View: TypeAlias = dict[str, Any]
"""What a page shows: `messages`, `state`, pending `interrupts`, whether the agent is `running`, `errors`."""

NEWEST, OLDEST = "1.75.0", "1.50.0"


class Client(NamedTuple):
    """A client: what it is, its version, and how it speaks to a runtime.

    `core` is `@copilotkit/core` (before 1.55 `@copilotkitnext/core`, of the react-core of this version),
    `agui` the HttpAgent of `@ag-ui/client`.
    """

    kind: str
    version: str
    transport: Transport

    def __str__(self) -> str:
        return "-".join(self)


NEWEST_CLIENTS = tuple(Client("core", NEWEST, transport) for transport in ("auto", "rest", "single"))
CORE_CLIENTS = (
    *NEWEST_CLIENTS,
    Client("core", "1.69.0", "auto"),
    Client("core", "1.62.3", "auto"),
    Client("core", "1.56.5", "single"),
    Client("core", OLDEST, "single"),
    Client("core", OLDEST, "rest"),
)
CLIENTS = (*CORE_CLIENTS, Client("agui", "0.0.59", "rest"), Client("agui", "1.0.0", "rest"))


def only(*clients: Client) -> pytest.MarkDecorator:
    """The test's `visit` opens pages of these clients."""
    return pytest.mark.parametrize("visit", clients, indirect=True, ids=str)


class Browser:
    """A Node process in which pages are opened."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "driver.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._numbers = itertools.count()
        self._answers: dict[int, Future[Any]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def start(self, page: str, op: str, **arguments: Any) -> Future[Any]:
        """Does something on a page, and does not wait for it."""
        number = next(self._numbers)
        answer = self._answers[number] = Future()
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"id": number, "page": page, "op": op, **arguments}) + "\n")
        self._process.stdin.flush()
        return answer

    def open(self, client: Client, url: str, **options: Any) -> Page:
        """Opens a page, and returns it once it knows what the runtime has to offer."""
        page = Page(self, client, str(next(self._numbers)))
        page.info = page.do("open", url=url, **client._asdict(), **options)
        return page

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(PageError(message["error"]))
            else:
                answer.set_result(message["result"])


class PageError(Exception):
    """What was done on a page failed in a way that the client does not report."""


@dataclass
class Page:
    """A page.

    Attributes:
        browser: where it is open.
        client: what is open in it.
        number: which one it is.
        info: what the client learned of the runtime.
        open: it was not closed yet.
    """

    browser: Browser
    client: Client
    number: str
    info: Any = None
    open: bool = True

    def start(self, op: str, **arguments: Any) -> Future[Any]:
        return self.browser.start(self.number, op, **arguments)

    def do(self, op: str, **arguments: Any) -> Any:
        return self.start(op, **arguments).result(20)

    def sending(self, content: Any, *, id: str = "u1", **where: Any) -> Future[View]:
        """Starts to send a message (or, with None, to run without one)."""
        message = {} if content is None else {"message": {"id": id, "role": "user", "content": content}}
        return self.start("send", **message, **where)

    def send(self, content: Any, *, id: str = "u1", **where: Any) -> View:
        """Sends a message, and returns what the page shows when the run is over."""
        return self.sending(content, id=id, **where).result(20)

    def connecting(self, **where: Any) -> Future[View]:
        """Starts to load a thread."""
        return self.start("connect", **where)

    def connect(self, **where: Any) -> View:
        """Loads a thread, and returns what the page shows when there is no more to come."""
        return self.connecting(**where).result(20)

    def shows(self, text: str) -> View:
        """Returns what the page shows as soon as there is a text in it."""
        view: View = self.do("until", text=text)
        return view

    def stop(self) -> None:
        """The person presses stop."""
        self.do("stop")

    def view(self) -> View:
        view: View = self.do("view")
        return view

    def log(self) -> dict[str, Any]:
        """What went over the wire, and what the client told of it: `requests`, `events`, ..."""
        log: dict[str, Any] = self.do("log")
        return log

    def close(self) -> None:
        """The tab is closed."""
        if self.open:
            self.open = False
            self.do("close")
