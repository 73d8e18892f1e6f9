"""Asks a runtime as clients do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

# What browsers accept; httpx itself would not unpack all of it.
BROWSER_ENCODINGS = "gzip, deflate, br, zstd"


class Failure(Exception):
    """A check found something wrong.

    Attributes:
        cause: what is wrong.
        cure: what to do about it.
    """

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.cure = cure


class NotSpokenError(Failure):
    """The runtime does not speak a contract at all, which is a fault only if its pages need that contract."""


class Skipped(Exception):
    """A check could not be made. The message says why."""


class Probe:
    """Asks one runtime.

    Args:
        url: the runtime's URL, as frontends have it.
        headers: sent with every request, as a page sends them.
        origin: the origin of the page, if CORS is to be looked at.
        agent: the agent to ask for, or None for the default one.
        message: what to say to the agent, or None to run none.
        seconds: how long to wait for an answer.

    Attributes:
        first: the first answer that came.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        origin: str | None = None,
        agent: str | None = None,
        message: str | None = None,
        seconds: float = 10.0,
    ) -> None:
        self.url = url.rstrip("/") if httpx.URL(url).path != "/" else url
        self.headers = headers
        self.origin = origin
        self.agent = agent
        self.message = message
        self.seconds = seconds
        self.first: httpx.Response | None = None
        self._client = httpx.Client(headers=list(headers), timeout=seconds)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def get(self, path: str = "", **headers: str) -> httpx.Response:
        """Gets a path below the URL."""
        return self._client.get(self.url + path, headers=_named(headers))

    def post(self, body: Any, path: str = "", **headers: str) -> httpx.Response:
        """Posts JSON to a path below the URL. Underscores in the names of headers stand for hyphens."""
        return self._client.post(self.url + path, json=body, headers=_named(headers))

    def elsewhere(self, url: str) -> httpx.Response:
        """Gets another URL."""
        return self._client.get(url)

    def options(self, path: str, **headers: str) -> httpx.Response:
        """Asks as a browser does before it sends a page's request: without the page's headers."""
        with httpx.Client(timeout=self.seconds) as bare:
            return bare.options(self.url + path, headers=_named(headers))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = "text/event-stream",
        seconds: float | None = None,
    ) -> Iterator[httpx.Response]:
        """Asks for a stream and yields the answer as soon as its head is there.

        Args:
            method: the HTTP method.
            path: the path below the URL.
            body: what to send as JSON.
            accept: the form of the stream.
            seconds: how long the stream may be silent, if not as long as any answer.
        """
        headers = {"accept": accept, "accept-encoding": BROWSER_ENCODINGS}
        timeout = httpx.Timeout(seconds or self.seconds)
        with self._client.stream(
            method, self.url + path, json=body, headers=headers, timeout=timeout
        ) as response:
            yield response


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
