"""The one URL: a router that hands each request to the contract that it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from .. import telemetry
from ..attachments.files import too_large
from ..context import RequestContext
from ..errors import InvalidRequestError
from ..logs import records as logs
from ..logs.records import get_logger
from ..protocols.agui.endpoint import AGUIEndpoint
from ..protocols.attachments import FORM_BYTES, AttachmentEndpoint
from ..protocols.graphql.http import GraphQLEndpoint
from ..protocols.request_body import RequestBody
from ..protocols.responses import json_response
from ..runtime import CopilotRuntime
from . import cors, playground
from .headers import HeaderPolicy
from .hosts import is_local
from .identity import Identify, Refusal, is_exposed, owner_of, refusal_of
from .request_body import BodyError, bounded_body, read_body
from .welcome import welcome

_METHODS: Final = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE"]

logger = get_logger(__name__)


def create_router(
    runtime: CopilotRuntime,
    path: str = "/api/copilotkit",
    *,
    identify: Identify | None = None,
    headers: HeaderPolicy | None = None,
    introspection: bool | None = None,
    keep_alive_seconds: float | None = None,
    stop_unread_runs: bool = False,
    allow_local_pages: bool = True,
) -> APIRouter:
    """Returns the routes of a runtime, for `FastAPI.include_router` or any application in between.

    One URL serves every generation of frontends: a POST of it holds a GraphQL request (CopilotKit up to 1.10)
    or a single-route AG-UI envelope, below it are the REST paths of AG-UI, and a browser gets the playground.

    Args:
        runtime: the runtime. It is the application's to close: `await runtime.aclose()` at shutdown.
        path: where the endpoint is, below the prefix of `include_router`. `/` is the prefix itself.
        identify: a FastAPI dependency that returns the user: an id, or an object with an `id`. Only that user
            can read and change the threads of their runs. To refuse a request, it raises `HTTPException` or
            returns None. Without `identify`, all callers are one anonymous user.
        headers: the request headers that are forwarded to agents.
        introspection: whether clients may query the GraphQL schema, as the playground does, and errors
            suggest names from it. By default, clients on this machine may; in development, all may.
        keep_alive_seconds: the longest silence on a stream, in seconds, before a keep-alive is sent, so that
            proxies keep it open. By default 15, or 12 with GraphQL.
        stop_unread_runs: a run stops when its last reader leaves, as plain AG-UI clients expect. By default
            it continues, so that a reloaded page gets the rest.
        allow_local_pages: pages that a browser loaded from this machine, such as those of a development
            server, may call the endpoint over loopback, without credentials. If the application that includes
            the router has CORS middleware, that decides instead. Pages of other origins need such middleware.
            Pass False if an outer application, which mounts this one, has middleware that should decide.
    """
    endpoint = _Endpoint(
        runtime,
        identify,
        headers or HeaderPolicy(),
        introspection,
        GraphQLEndpoint(runtime, heartbeat_seconds=keep_alive_seconds),
        AGUIEndpoint(runtime, heartbeat_seconds=keep_alive_seconds, stop_unread_runs=stop_unread_runs),
    )
    return endpoint.router(path.rstrip("/"), allow_local_pages=allow_local_pages)


class _Route(APIRoute):
    """A route that also answers refusals by dependencies in the form of the request's contract.

    Each endpoint has a subclass with the attributes, since FastAPI creates routes again when a router is
    included.

    Attributes:
        refuse: makes that answer.
        runtime: the runtime.
        allow_local_pages: see `create_router`.
    """

    refuse: Callable[[Request, Refusal], Awaitable[Response]]
    runtime: CopilotRuntime
    allow_local_pages: bool

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Handling the request and sending its response belong to one trace.
        with logs.scope(), telemetry.request_span(scope["method"], self.path, scope["headers"]):
            local = self.allow_local_pages and cors.is_local_page(scope)
            handle = cors.allow_local_pages(super().handle) if local else super().handle
            await handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return partial(_respond, super().get_route_handler(), self.refuse, self.runtime)


async def _respond(
    handle: Callable[[Request], Awaitable[Response]],
    refuse: Callable[[Request, Refusal], Awaitable[Response]],
    runtime: CopilotRuntime,
    request: Request,
) -> Response:
    try:
        try:
            response = await handle(request)
        except (HTTPException, RequestValidationError) as error:
            response = await refuse(request, refusal_of(error))
    except BodyError as error:
        response = error.response(request)
    except ClientDisconnect:  # it left while sending, so nobody reads the response
        response = Response(status_code=400)
    if runtime.draining:
        # A proxy that keeps the connection would send its next request to a port that is about to close.
        response.headers["connection"] = "close"
    telemetry.answered(response.status_code)
    return response


class _Endpoint:
    """Hands each request to the contract that it speaks."""

    def __init__(
        self,
        runtime: CopilotRuntime,
        identify: Identify | None,
        policy: HeaderPolicy,
        introspection: bool | None,
        graphql: GraphQLEndpoint,
        agui: AGUIEndpoint,
    ) -> None:
        self._runtime = runtime
        self._identify = identify
        self._policy = policy
        self._warned = False
        self._refused_origins = cors.RefusedOrigins()
        self._limits = runtime.limits
        self._introspection = True if runtime.development and introspection is None else introspection
        self._graphql = graphql
        self._agui = agui
        self._attachments = AttachmentEndpoint(runtime)

    def router(self, path: str, *, allow_local_pages: bool) -> APIRouter:
        attributes = {
            "refuse": self._refuse,
            "runtime": self._runtime,
            "allow_local_pages": allow_local_pages,
        }
        router = APIRouter(route_class=type("_EndpointRoute", (_Route,), attributes))
        identified: Any = Depends(self._identify or _nobody)

        async def answer(request: Request, user: Any = identified) -> Response:
            return await self._answer(request, user)

        upload_attributes = {**attributes, "refuse": self._refuse_upload}
        self._add_attachments(router, path, identified, type("_UploadRoute", (_Route,), upload_attributes))
        for variant in (path, f"{path}/", f"{path}/{{rest:path}}"):
            if variant:
                router.add_api_route(variant, answer, methods=_METHODS, include_in_schema=False)
                router.add_api_route(variant, self._options, methods=["OPTIONS"], include_in_schema=False)
        return router

    def _add_attachments(
        self, router: APIRouter, path: str, identified: Any, upload_route: type[_Route]
    ) -> None:
        """Adds the routes of files. Downloads identify no user, since an `<img>` sends no headers."""

        async def upload(request: Request, user: Any = identified) -> Response:
            return await self._upload(request, user)

        async def download(request: Request, id: str) -> Response:
            return await self._attachments.download(request, id)

        files = f"{path}/attachments"
        router.add_api_route(
            files, upload, methods=["POST"], include_in_schema=False, route_class_override=upload_route
        )
        router.add_api_route(f"{files}/{{id}}", download, methods=["GET", "HEAD"], include_in_schema=False)

    async def _upload(self, request: Request, user: Any) -> Response:
        try:
            context = self._context(request, user)
        except Exception as error:
            return await self._refuse_upload(request, Refusal(self._runtime.masked(error)))
        logs.enter_request(context)
        telemetry.annotate(
            request_id=context.request_id, owner=logs.owner_hash(context.owner), operation="attachments/add"
        )
        return await self._attachments.upload(request, self._form(request), context)

    def _form(self, request: Request) -> AsyncIterator[bytes]:
        limits = self._limits
        size = limits.attachment_bytes + FORM_BYTES
        return bounded_body(request, size, limits.request_seconds, too_large(limits))

    async def _refuse_upload(self, request: Request, refusal: Refusal) -> Response:
        response = await self._attachments.refuse(self._form(request), refusal.error)
        response.headers.update(refusal.headers)
        return response

    def _context(self, request: Request, user: Any) -> RequestContext:
        headers = self._policy.forwarded(request.headers.items())
        if self._identify is not None:
            return RequestContext(owner=owner_of(user), user=user, headers=headers)
        if not self._warned and is_exposed(request):
            self._warned = True
            logger.warning(
                "Other machines can reach this server, and all callers are one anonymous user, who can use "
                "every agent and reads the threads of all. Give create_router an 'identify'."
            )
        return RequestContext(headers=headers)

    async def _answer(self, request: Request, user: Any) -> Response:
        try:
            context = self._context(request, user)
        except Exception as error:
            return await self._refuse(request, Refusal(self._runtime.masked(error)))
        logs.enter_request(context)
        telemetry.annotate(request_id=context.request_id, owner=logs.owner_hash(context.owner))
        if _is_page(request):
            return Response(playground.page(request.url.path), headers=playground.headers())
        if _asks_what_this_is(request):
            return await self._welcome(request, context)
        if request.method == "GET" and (asset := playground.asset(request.path_params.get("rest", ""))):
            return asset
        body = await read_body(request, self._limits)
        if _is_below(request):
            return await self._agui.handle_path(request, _raw_path(request), body, context)
        value, problem = _json(body)
        if _is_envelope(request, value):
            return await self._agui.handle_envelope(request, value, context)
        if request.method != "POST" or _is_graphql(request, value):
            allowed = is_local(request) if self._introspection is None else self._introspection
            return await self._graphql.handle(request, body, context, introspection=allowed)
        return _of_neither_contract(problem)

    async def _welcome(self, request: Request, context: RequestContext) -> Response:
        try:
            agents = await self._runtime.agents_for(context).all()
        except Exception as error:
            return await self._refuse(request, Refusal(self._runtime.masked(error)))
        url = str(request.url.replace(query=""))
        return PlainTextResponse(welcome(url, list(agents)), headers={"vary": "accept"})

    async def _options(self, request: Request) -> Response:
        if cors.is_preflight(request.headers):
            self._refused_origins.log(request.headers["origin"])
        allow = "GET, POST, PATCH, DELETE" if _is_below(request) else "GET, POST"
        return Response(status_code=204, headers={"allow": allow})

    async def _refuse(self, request: Request, refusal: Refusal) -> Response:
        error = refusal.error
        if _is_page(request):
            response = Response(error.message, error.status_code, media_type="text/plain")
        elif _is_below(request):
            response = self._agui.refuse_path(request, _raw_path(request), error)
        else:
            value, _ = _json(await read_body(request, self._limits))
            if _is_envelope(request, value):
                response = self._agui.refuse_envelope(request, value, error)
            else:
                response = self._graphql.refuse(request, error)
        response.headers.update(refusal.headers)
        return response


async def _nobody() -> None:
    """Identifies no user. It is async because FastAPI calls plain functions in threads."""


def _is_page(request: Request) -> bool:
    return request.method == "GET" and not _is_below(request) and _is_browser(request)


def _asks_what_this_is(request: Request) -> bool:
    """Whether a GET of the endpoint is neither a GraphQL request nor a browser's for the playground."""
    accept = request.headers.get("accept", "")
    return (
        request.method in ("GET", "HEAD")
        and not _is_below(request)
        and "query" not in request.query_params
        and not any(form in accept for form in ("json", "multipart/mixed", "event-stream"))
    )


def _is_below(request: Request) -> bool:
    return bool(request.path_params.get("rest"))


def _json(body: RequestBody) -> tuple[Any, Exception | None]:
    """Returns the body's JSON value, or the error if it is not JSON."""
    try:
        return body.json(), None
    except (ValueError, InvalidRequestError) as error:
        return None, error


def _is_envelope(request: Request, value: Any) -> bool:
    return request.method == "POST" and isinstance(value, dict) and "method" in value and "query" not in value


def _is_graphql(request: Request, value: Any) -> bool:
    headers = request.headers
    return (
        (isinstance(value, dict) and "query" in value)
        or "json" not in headers.get("content-type", "")
        or "graphql" in headers.get("accept", "")
    )


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and "query" not in request.query_params


def _raw_path(request: Request) -> str:
    """Returns the path as it was sent: an id in it may hold an encoded slash."""
    raw: bytes | None = request.scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw else quote(request.scope["path"])


def _of_neither_contract(error: Exception | None) -> Response:
    """Answers a JSON body of neither contract, in the forms of both.

    Args:
        error: the reason why the body is not JSON, if it is not.
    """
    hint = "The body is neither a GraphQL request (a 'query') nor a single-route AG-UI request (a 'method')."
    message = "Missing method field" if error is None else "Invalid JSON payload"
    if isinstance(error, InvalidRequestError):
        message = hint = error.message
    return json_response(
        {
            "error": "invalid_request",
            "message": message,
            "errors": [{"message": hint, "extensions": {"code": "BAD_REQUEST"}}],
        },
        400,
    )
