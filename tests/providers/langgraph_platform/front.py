"""A reverse proxy that fails on demand, in front of a LangGraph server."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio.to_thread
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.serving import serving

_HOP_BY_HOP = {"content-length", "transfer-encoding", "connection", "host"}


class Front:
    """Passes requests on, and remembers them.

    Attributes:
        url: where it listens.
        seen: the method and the path of each request.
        headers: the headers of each request.
        refusals: the statuses with which the next requests are refused. None passes a request on; 0 does so,
            too, and answers with 500.
        holds: how the next request to start a run is held: `before` it is passed on, or `after`.
        held: set when a request is held.
        release: to be set to let it go on.
        cuts: of the next streams, after how many bytes each breaks off.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[int | None] = []
        self.cuts: list[int] = []
        self.holds: str | None = None
        self.held = threading.Event()
        self.release = threading.Event()
        self._target = target
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        route = Route("/{path:path}", self._pass_on, methods=methods)
        self.app = Starlette(routes=[route], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=self._target, timeout=60, trust_env=False) as self._client:
            yield

    async def _hold(self, request: Request, moment: str) -> None:
        if self.holds == moment and request.url.path.endswith("/runs/stream"):
            self.holds = None
            self.held.set()
            await anyio.to_thread.run_sync(self.release.wait)

    @contextmanager
    def listening(self) -> Iterator[Front]:
        with serving(self.app) as url:
            self.url = url
            yield self

    async def _pass_on(self, request: Request) -> Response:
        self.seen.append(f"{request.method} {request.url.path}")
        self.headers.append(dict(request.headers))
        status = self.refusals.pop(0) if self.refusals else None
        if status:
            return JSONResponse({"detail": f"refused with {status}"}, status)
        sent = self._client.build_request(
            request.method,
            request.url.path,
            params=str(request.query_params),
            headers={k: v for k, v in request.headers.items() if k not in _HOP_BY_HOP},
            content=await request.body(),
        )
        await self._hold(request, "before")
        answer = await self._client.send(sent, stream=True)
        await self._hold(request, "after")
        headers = {k: v for k, v in answer.headers.items() if k not in _HOP_BY_HOP}
        if status == 0:
            await answer.aclose()
            return JSONResponse({"detail": "lost"}, 500)
        if "event-stream" not in answer.headers.get("content-type", ""):
            body = await answer.aread()
            headers.pop("content-encoding", None)
            return Response(body, answer.status_code, headers)
        return StreamingResponse(self._stream(answer), answer.status_code, headers)

    async def _stream(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        left = self.cuts.pop(0) if self.cuts else None
        try:
            async for chunk in answer.aiter_raw():
                if left is not None and len(chunk) > left:
                    yield chunk[:left]
                    raise ConnectionAbortedError
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            await answer.aclose()
