"""A worker process: `python -m tests.providers.langgraph_platform.worker STORE LEASE SERVER`."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from copilotkit_runtime_py.state_store.from_url import open_state_store


def main() -> None:
    url, lease_seconds, server = sys.argv[1:]
    store = open_state_store(url, lease_seconds=float(lease_seconds))
    runtime = CopilotRuntime({"counts": LangGraphPlatform(server, graph="counts")}, state_store=store)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await runtime.aclose()

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(runtime))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - it is what the test reads
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run([listener])


if __name__ == "__main__":
    main()
