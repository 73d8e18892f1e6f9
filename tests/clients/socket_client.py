"""An HTTP client that shows the chunks of an answer as the server sent them."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.clients.exchange import DOCUMENTS

URQL_ACCEPT = (
    "application/graphql-response+json, application/graphql+json, application/json, "
    "text/event-stream, multipart/mixed"
)


class RawRequest:
    """A POST on a connection of its own.

    Attributes:
        status: the HTTP status.
        headers: the answer's headers, names in lower case.
    """

    def __init__(self, url: str, body: dict[str, Any], accept: str = URQL_ACCEPT) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        content = json.dumps(body).encode()
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: {accept}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        status_line = self._file.readline().decode()
        self.status = int(status_line.split(" ")[1])
        lines = iter(lambda: self._file.readline().decode().strip(), "")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Closes the connection, whatever there is still to come."""
        self._file.close()
        self._socket.close()

    def chunk(self) -> bytes:
        """The next HTTP chunk: empty at the end of the answer."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        assert self._file.read(2) == b"\r\n"
        return data

    def chunks(self) -> list[bytes]:
        """Every chunk that is still to come."""
        return list(iter(self.chunk, b""))

    def read(self, count: int) -> bytes:
        """So many bytes of the connection, with HTTP's own in between."""
        return self._file.read(count)


def generate(variables: dict[str, Any]) -> dict[str, Any]:
    """The body of a `generateCopilotResponse`, as the real client sends it."""
    name = "generateCopilotResponse"
    return {"operationName": name, "query": DOCUMENTS[name], "variables": variables}
