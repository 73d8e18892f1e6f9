"""The one URL: a router that hands each request to the contract that it speaks."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ..protocols.graphql.http import GraphQLEndpoint
from ..runtime import CopilotRuntime
from . import playground


def create_router(runtime: CopilotRuntime, path: str = "/api/copilotkit") -> APIRouter:
    """Returns the routes of a runtime, for `FastAPI.include_router` or any application in between.

    Args:
        runtime: the runtime. It is the application's to close: `await runtime.aclose()` at shutdown.
        path: where the endpoint is, below the prefix of `include_router`. `/` is the prefix itself.
    """
    router = APIRouter()
    graphql = GraphQLEndpoint(runtime)
    path = path.rstrip("/")

    async def endpoint(request: Request) -> Response:
        if request.method == "GET" and _is_browser(request):
            return Response(playground.page(request.url.path), headers=playground.headers())
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": "GET, POST"})
        body = await _read(request, runtime.limits.request_bytes)
        if body is None:
            return Response(status_code=413)
        return await graphql.handle(request, body)

    methods = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
    for variant in {path, f"{path}/"} - {""}:
        router.add_api_route(variant, endpoint, methods=methods, include_in_schema=False)
    return router


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
