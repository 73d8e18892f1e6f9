"""What the real AG-UI clients make of streams, patches and bytes: one Node process that answers in turn."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from typing import Any, TypeAlias

from tests.clients_agui.node import HERE

Answer: TypeAlias = dict[str, Any]


class Oracles:
    """The clients, by version, and the packages that they use."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "oracles.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    def read(self, streams: Sequence[tuple[str, bytes]]) -> list[Answer]:
        """Returns what clients make of streams; each is given as the client's version and the body."""
        return self._ask(
            [{"op": "read", "version": version, "body": body.decode()} for version, body in streams]
        )

    def patch(self, cases: Sequence[tuple[Any, Any]]) -> list[Answer]:
        """Returns the `document` after each patch, or nothing where the patch is refused."""
        return self._ask([{"op": "patch", "document": document, "patch": patch} for document, patch in cases])

    def frames(self, version: str, bodies: Sequence[Sequence[bytes]]) -> list[Answer]:
        """Returns the `events` of bodies that come in pieces, and whether the client `failed`."""
        return self._ask(
            [
                {
                    "op": "frames",
                    "version": version,
                    "chunks": [base64.b64encode(each).decode() for each in body],
                }
                for body in bodies
            ]
        )

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, requests: list[Answer]) -> list[Answer]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(requests) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the clients did not survive {requests}"
        answers: list[Answer] = json.loads(line)
        return answers
