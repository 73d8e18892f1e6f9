"""The one URL: a router that hands each request to the contract that it speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ..context import RequestContext
from ..headers import HeaderPolicy
from ..protocols.agui.answers import json_response
from ..protocols.agui.endpoint import AGUIEndpoint
from ..protocols.graphql.http import GraphQLEndpoint
from ..runtime import CopilotRuntime
from . import playground

_METHODS: Final = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
_MALFORMED: Final[Any] = object()


def create_router(
    runtime: CopilotRuntime, path: str = "/api/copilotkit", *, headers: HeaderPolicy | None = None
) -> APIRouter:
    """Returns the routes of a runtime, for `FastAPI.include_router` or any application in between.

    One URL serves every generation of frontends: a POST of it holds a GraphQL request (CopilotKit up to 1.10)
    or a single-route AG-UI envelope, below it are the REST paths of AG-UI, and a browser gets the playground.

    Args:
        runtime: the runtime. It is the application's to close: `await runtime.aclose()` at shutdown.
        path: where the endpoint is, below the prefix of `include_router`. `/` is the prefix itself.
        headers: which request headers are passed on to agents.
    """
    policy = headers or HeaderPolicy()

    def context(request: Request) -> RequestContext:
        return RequestContext(headers=policy.forwarded(request.headers.items()))

    return _Endpoint(runtime, context).router(path.rstrip("/"))


class _Endpoint:
    """Hands each request to the contract that it speaks."""

    def __init__(self, runtime: CopilotRuntime, context: Callable[[Request], RequestContext]) -> None:
        self._limit = runtime.limits.request_bytes
        self._graphql = GraphQLEndpoint(runtime, context=context)
        self._agui = AGUIEndpoint(runtime, context=context)

    def router(self, path: str) -> APIRouter:
        router = APIRouter()
        for variant in {path, f"{path}/"} - {""}:
            router.add_api_route(variant, self._answer, methods=_METHODS, include_in_schema=False)
        router.add_api_route(
            f"{path}/{{rest:path}}", self._answer_below, methods=_METHODS, include_in_schema=False
        )
        return router

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET" and _is_browser(request):
            return Response(playground.page(request.url.path), headers=playground.headers())
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": "GET, POST"})
        body = await _read(request, self._limit)
        if body is None:
            return _too_large(self._limit)
        if request.method != "POST":
            return await self._graphql.handle(request, body)
        return await self._answer_post(request, body)

    async def _answer_post(self, request: Request, body: bytes) -> Response:
        """Lets the body decide which contract it is of."""
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            value = _MALFORMED
        if isinstance(value, dict) and "method" in value and "query" not in value:
            return await self._agui.handle_envelope(request, value)
        headers = request.headers
        if (
            (isinstance(value, dict) and "query" in value)
            or "json" not in headers.get("content-type", "")
            or "graphql" in headers.get("accept", "")
        ):
            return await self._graphql.handle(request, body)
        return _of_neither_contract(malformed=value is _MALFORMED)

    async def _answer_below(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": "GET, POST, PATCH, DELETE"})
        body = await _read(request, self._limit)
        if body is None:
            return _too_large(self._limit)
        return await self._agui.handle_path(request, _raw_path(request), body)


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and "query" not in request.query_params


async def _read(request: Request, limit: int) -> bytes | None:
    """Returns the body, or None where it exceeds the limit; no more than the limit is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _raw_path(request: Request) -> str:
    """Returns the path as it was sent: an id in it may hold an encoded slash."""
    raw: bytes | None = request.scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw else quote(request.scope["path"])


def _too_large(limit: int) -> Response:
    message = f"A request may have {limit} bytes at most."
    errors = [{"message": message, "extensions": {"code": "BAD_REQUEST"}}]
    return json_response({"error": "Payload too large", "message": message, "errors": errors}, 413)


def _of_neither_contract(*, malformed: bool) -> Response:
    """Answers, in the words of both contracts, a JSON body that is of neither."""
    hint = "The body is neither a GraphQL request (a 'query') nor a single-route AG-UI request (a 'method')."
    return json_response(
        {
            "error": "invalid_request",
            "message": "Invalid JSON payload" if malformed else "Missing method field",
            "errors": [{"message": hint, "extensions": {"code": "BAD_REQUEST"}}],
        },
        400,
    )
