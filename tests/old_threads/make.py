"""Writes `threads.db.gz` with the version of the runtime that had the faults.

    python -m tests.old_threads.make

The version is taken from git and installed, with the packages of its lock file, into an environment of
its own.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

VERSION = "2b74e1b"
HERE = Path(__file__).parent
TOOLS = [
    {"name": "paint", "description": "Paints.", "parameters": {"type": "object", "properties": {}}},
]


def main() -> None:
    archive = subprocess.run(["git", "archive", VERSION], check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as packed_version:
            packed_version.extractall(folder, filter="data")
        database = f"{folder}/threads.db"
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        environment.pop("VIRTUAL_ENV", None)
        uv = [
            shutil.which("uv") or f"{HERE.parents[1]}/.tools/bin/uv",
            "run",
            "--project",
            folder,
            "--locked",
        ]
        command = [*uv, "--no-default-groups", "--extra", "langgraph", "python", "-m", "old_threads.make"]
        subprocess.run([*command, database], check=True, env=environment, cwd=folder)
        stored = sqlite3.connect(database)
        stored.execute("PRAGMA journal_mode = DELETE")
        stored.execute("VACUUM")
        stored.close()
        packed = gzip.compress(Path(database).read_bytes(), mtime=0)
        (HERE / "threads.db.gz").write_bytes(packed)


async def write(database: str) -> None:
    """Has the conversations, each on a thread with its agent's name."""
    import httpx
    from fastapi import FastAPI

    import copilotkit_runtime_py
    from copilotkit_runtime_py import CopilotRuntime, create_router

    from .agents import agents

    assert HERE.parents[1] not in Path(str(copilotkit_runtime_py.__file__)).parents
    runtime = CopilotRuntime(agents(), state_store=f"sqlite:///{database}")
    app = FastAPI()
    app.include_router(create_router(runtime, path="/copilotkit"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=30
    ) as client:

        async def run(agent: str, messages: list[Any], number: int, **fields: Any) -> list[Any]:
            """Runs an agent, and returns the conversation as the page has it then."""
            body = {
                "threadId": agent,
                "runId": f"{agent}-{number}",
                "messages": messages,
                "state": {},
                "tools": [],
                "context": [],
                "forwardedProps": {},
                **fields,
            }
            response = await client.post(f"/copilotkit/agent/{agent}/run", json=body)
            events = [
                json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")
            ]
            assert response.status_code == 200, response.text
            shown = [event["messages"] for event in events if event["type"] == "MESSAGES_SNAPSHOT"]
            return list(shown[-1]) if shown else messages

        def said(text: str, number: int) -> dict[str, Any]:
            return {"id": f"u{number}", "role": "user", "content": text}

        for agent in ("repeating_ids", "dict_messages", "reads_tools", "thinker", "half_an_emoji"):
            messages = await run(agent, [said("one", 1)], 1)
            await run(agent, [*messages, said("two", 2)], 2)
        for agent in ("long_ids", "no_id", "breakpoint"):
            await run(agent, [said("one", 1)], 1, tools=TOOLS)
        messages = await run("two_questions", [said("one", 1)], 1)
        for number, answer in ((2, "Bob"), (3, "42")):
            command = {"command": {"resume": answer}}
            messages = await run(
                "two_questions", messages, number, forwardedProps=command, tools=TOOLS[: number - 2]
            )
    await runtime.aclose()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(write(sys.argv[1]))
    else:
        main()
