"""The real npm clients, in one Node process that answers requests line by line."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NEWEST, OLDEST, LATER = "1.10.6", "1.8.5", "1.74.0"
VERSIONS = (NEWEST, OLDEST, "1.8.14", LATER)
# Their pages look at no status of an answer without messages.
SHOWING_NO_FAILURE = (OLDEST, "1.8.14")


class Request:
    """A request that a client has made."""

    def __init__(self, clients: Clients, number: int) -> None:
        self._clients = clients
        self._number = number
        self._changed = threading.Condition()
        self.emissions = 0
        self.answer: Future[dict[str, Any]] = Future()

    def result(self, timeout: float = 20) -> dict[str, Any]:
        """What the client ends up with."""
        return self.answer.result(timeout)

    def wait_for_emission(self, count: int, timeout: float = 20) -> None:
        """Returns once the client has shown `count` versions of the answer. Needs `watch`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.emissions >= count, timeout):
                raise TimeoutError(f"{self.emissions} emissions in {timeout} s")

    def abort(self) -> None:
        """Aborts the request through its AbortController."""
        self._clients.send({"op": "abort", "target": self._number})

    def told(self, message: dict[str, Any]) -> None:
        if "emission" in message:
            with self._changed:
                self.emissions = message["emission"]
                self._changed.notify_all()
        elif "error" in message:
            self.answer.set_exception(RuntimeError(message["error"]))
        else:
            self.answer.set_result(message["result"])


class Clients:
    """A Node process that holds the clients."""

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
        self._requests: dict[int, Request] = {}
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

    def send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def start(self, op: str, url: str, *, version: str = NEWEST, **fields: Any) -> Request:
        """Makes a request, and does not wait for its answer."""
        number = next(self._numbers)
        request = self._requests[number] = Request(self, number)
        self.send({"id": number, "op": op, "url": url, "version": version, **fields})
        return request

    def ask(self, op: str, url: str, *, version: str = NEWEST, **fields: Any) -> dict[str, Any]:
        """Makes a request, and returns what the client ends up with."""
        return self.start(op, url, version=version, **fields).result()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            self._requests[message["id"]].told(message)


def chat(agent: str | None = None, content: str = "Hi", thread: str = "t1", **data: Any) -> dict[str, Any]:
    """The variables of a `generateCopilotResponse`, as react-core sends them."""
    message = {
        "id": "u1",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "textMessage": {"content": content, "role": "user"},
    }
    session = {} if agent is None else {"agentSession": {"agentName": agent}}
    return {
        "data": {
            "agentStates": [],
            "context": [],
            "extensions": {},
            "forwardedParameters": {},
            "frontend": {"actions": [], "url": "http://localhost/"},
            "messages": [message],
            "metaEvents": [],
            "metadata": {"requestType": "Chat"},
            "runId": None,
            "threadId": thread,
            **session,
            **data,
        },
        "properties": {},
    }
