"""The real clients in one Node process: see `judge.mjs`."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "judge.mjs"


class Judge:
    """The process."""

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
        (result,) = self.do_each(op, [page], **arguments)
        return result

    def do_each(self, op: str, pages: Sequence[str], **arguments: Any) -> list[Any]:
        """Does the same with several pages at the same time, and returns the results in their order."""
        assert self._process.stdin
        assert self._process.stdout
        ids = [next(self._numbers) for _ in pages]
        requests = ({"id": id, "op": op, "page": page} for id, page in zip(ids, pages, strict=True))
        self._process.stdin.write("".join(json.dumps(each | arguments) + "\n" for each in requests))
        self._process.stdin.flush()
        answers = {each["id"]: each for each in (json.loads(self._process.stdout.readline()) for _ in ids)}
        for answer in answers.values():
            assert "error" not in answer, answer["error"]
        return [answers[id]["result"] for id in ids]
