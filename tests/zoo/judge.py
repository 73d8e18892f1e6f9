"""The real clients in one Node process: see `judge.mjs`."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "judge.mjs"


class Judge:
    """The process. It answers one request after the other."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._numbers = itertools.count()

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def open(self, kind: str, **options: Any) -> str:
        """Opens a page, and returns its name."""
        page = f"page{next(self._numbers)}"
        self.do("open", page, kind=kind, **options)
        return page

    def do(self, op: str, page: str, **arguments: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        request = {"id": next(self._numbers), "op": op, "page": page, **arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == request["id"]
        assert "error" not in answer, answer["error"]
        return answer["result"]
