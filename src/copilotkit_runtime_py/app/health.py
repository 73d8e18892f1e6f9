"""Health checks for orchestrators: liveness and readiness."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from ..context import ANONYMOUS
from ..runtime import CopilotRuntime
from ..state_store.base import batching

LIVENESS: Final = "/healthz"
READINESS: Final = "/readyz"

# Anyone may call, so the store is checked at most once per interval, in seconds.
_INTERVAL: Final = 1.0
_HEADERS: Final = {"cache-control": "no-store"}
_METHODS: Final = ["GET", "HEAD"]


def create_health_router(runtime: CopilotRuntime) -> APIRouter:
    """Returns the routes `/healthz` and `/readyz`, for any application that serves a runtime.

    They need no credentials and reveal only a status. A process is ready unless its store cannot be read or
    written, or it is about to stop: `CopilotRuntime.announce_stop` or `drain` was called.

    Args:
        runtime: the runtime.
    """
    return health_router(runtime, StoreCheck(runtime))


def health_router(runtime: CopilotRuntime, store: StoreCheck) -> APIRouter:
    """Returns the routes of `create_health_router`, with a check of the store that others may use, too."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(LIVENESS, methods=_METHODS)
    async def alive() -> Response:
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    @router.api_route(READINESS, methods=_METHODS)
    async def ready() -> Response:
        status = "ready"
        if runtime.draining:
            status = "draining"
        elif not await store.answers():
            status = "store unavailable"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503, headers=_HEADERS)

    return router


class StoreCheck:
    """Asks the store whether it answers, once for all callers of the same second.

    Args:
        runtime: the runtime that has the store.
    """

    def __init__(self, runtime: CopilotRuntime) -> None:
        self._store = runtime.state_store
        self._patience = runtime.limits.store_seconds
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answered = False

    async def answers(self) -> bool:
        """Whether the store answers in time."""
        async with self._lock:
            now = asyncio.get_running_loop().time
            if now() - self._asked_at > _INTERVAL:
                self._answered = await self._ask()
                self._asked_at = now()
        return self._answered

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                await self._store.list_threads(ANONYMOUS, limit=1)
                if (store := batching(self._store)) is not None:
                    await store.check()
        except Exception:  # requests would fail in the same way; the store has logged it
            return False
        return True
