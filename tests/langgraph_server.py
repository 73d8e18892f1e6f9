"""A real `langgraph dev` on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from .servers import Server

ROOT = Path(__file__).parents[1]


class LangGraphDev(Server):
    """LangGraph's development server. What it knows ends with it.

    Args:
        graphs: the target of each graph by its name: a file below the project's root, or a module.
        config: further keys of the `langgraph.json`.
        env: further variables of the environment.
    """

    stop_signal = signal.SIGKILL

    def __init__(
        self,
        graphs: Mapping[str, str],
        *,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = dict(env or {})
        targets = {name: f"{ROOT / target}" if "/" in target else target for name, target in graphs.items()}
        whole = {"dependencies": ["."], "graphs": targets, **(config or {})}
        (self.directory / "langgraph.json").write_text(json.dumps(whole))

    def start(self) -> None:
        with (self.directory / "log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, cwd=self.directory, env=self._environment()
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"langgraph dev did not start:\n{self.log}")
            time.sleep(0.05)

    def command(self) -> list[str]:
        options = ["--no-browser", "--no-reload", "--port", str(self.port), "--n-jobs-per-worker", "10"]
        return [sys.executable, "-m", "langgraph_cli", "dev", *options]

    @property
    def running(self) -> bool:
        """Whether the server was started and not stopped."""
        return self._process is not None

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.directory / "log").read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ok", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LANG", "COVERAGE"))
        }
        own = {"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1", "PYTHONPATH": str(ROOT)}
        return {**kept, **own, **self._env}
