"""GraphQL over HTTP: one request in, one answer or a stream of parts out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import GraphQLError, GraphQLSyntaxError, OperationType, get_operation_ast, parse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...context import RequestContext
from ...runtime import CopilotRuntime
from .document import DocumentCache, Operation, RequestError
from .incremental import Execution
from .multipart import Encoder, MultipartEncoder, SSEEncoder, encode_json
from .negotiation import Form, negotiate
from .request import GraphQLRequest, HTTPError, from_body, from_query_string
from .resolvers import RequestResolvers
from .schema import SCHEMA

logger = logging.getLogger(__name__)


_ENCODERS: Final[dict[Form, Encoder]] = {Form.MULTIPART: MultipartEncoder(), Form.SSE: SSEEncoder()}

CLIENT_VERSION: Final = "x-copilotkit-runtime-client-gql-version"
RUNTIME_VERSION: Final = "x-copilotkit-runtime-version"
API_KEY: Final = "x-copilotcloud-public-api-key"
HEARTBEAT_SECONDS: Final = 12.0
_METHODS: Final = "GET, POST"


class GraphQLEndpoint:
    """Serves the GraphQL contract of CopilotRuntime 1.10.6 for one runtime.

    Args:
        runtime: the runtime.
        context: makes the context of a request.
        heartbeat_seconds: the longest silence on a stream, so that proxies keep it open.
    """

    def __init__(
        self,
        runtime: CopilotRuntime,
        *,
        context: Callable[[Request], RequestContext],
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._runtime = runtime
        self._context = context
        self._heartbeat_seconds = heartbeat_seconds
        self._documents = DocumentCache(SCHEMA)

    async def handle(self, request: Request, body: bytes) -> Response:
        """Answers a request whose body was read already."""
        accept = request.headers.get("accept")
        headers = version_headers(request.headers.get(CLIENT_VERSION))
        try:
            check_client_version(request.headers.get(CLIENT_VERSION))
            if request.method == "GET":
                graphql_request = from_query_string(request.scope["query_string"])
                refuse_mutation(graphql_request)
            elif request.method == "POST":
                graphql_request = from_body(request.headers.get("content-type"), body)
            else:
                raise HTTPError(405, "GraphQL only supports GET and POST requests.", allow=_METHODS)
            operation = self._operation(graphql_request)
        except HTTPError as error:
            return _refusal(error, accept, headers)
        except RequestError as error:
            return _single({"errors": [e.formatted for e in error.errors]}, accept, headers)
        form = negotiate(accept, incremental=operation.is_incremental)
        if form is None:
            offered = "text/event-stream; charset=utf-8, multipart/mixed"
            return Response(status_code=406, headers={**headers, "accept": offered})
        return await self._execute(operation, request, form, headers)

    def _operation(self, request: GraphQLRequest) -> Operation:
        document = self._documents.document(request.query)
        return document.operation(request.operation_name, request.variables)

    async def _execute(
        self, operation: Operation, request: Request, form: Form, headers: Mapping[str, str]
    ) -> Response:
        has_api_key = API_KEY in request.headers
        exchange = _Exchange(self._runtime, operation, self._context(request), has_api_key=has_api_key)
        try:
            first = await exchange.execution.start()
            if first is not None and exchange.execution.done:
                exchange.close()
                plain = negotiate(request.headers.get("accept"), incremental=False) or form
                return _answer(first, plain, headers)
            return _StreamResponse(exchange, first, form, headers, self._heartbeat_seconds)
        except BaseException:
            exchange.close()
            raise


class _Exchange:
    """One operation while it is executed: the execution, and the runs behind it."""

    def __init__(
        self, runtime: CopilotRuntime, operation: Operation, context: RequestContext, *, has_api_key: bool
    ) -> None:
        self._runtime = runtime
        self._changed = asyncio.Event()
        self._resolvers = RequestResolvers(runtime, context, has_api_key=has_api_key, wake=self._changed.set)
        self.execution = Execution(operation, self._resolvers, format_error=self._format_error)

    def wake(self) -> None:
        """Ends the wait for a change."""
        self._changed.set()

    async def change(self) -> None:
        """Waits until a run has news, or somebody calls `wake`, and brings the responses up to date."""
        await self._changed.wait()
        self._changed.clear()
        self._resolvers.advance()

    def close(self) -> None:
        """Leaves the runs; those that are not over are stopped."""
        self._resolvers.close()

    def _format_error(self, error: GraphQLError) -> dict[str, Any]:
        original = error.original_error
        formatted: dict[str, Any] = {**error.formatted}
        if original is not None:
            masked = self._runtime.masked(original)
            formatted["message"] = masked.message
            formatted["extensions"] = masked.extensions()
        return formatted


class _StreamResponse(Response):
    """Sends what an execution produces, as it does. A client that leaves ends the execution."""

    def __init__(
        self,
        exchange: _Exchange,
        first: dict[str, Any] | None,
        form: Form,
        headers: Mapping[str, str],
        heartbeat_seconds: float,
    ) -> None:
        self._exchange = exchange
        self._first = first
        self._form = form
        self._encoder = _ENCODERS.get(form)
        self._heartbeat_seconds = heartbeat_seconds
        self._gone = False
        self._beat_due = False
        self.background = None
        self.status_code = 200
        self.init_headers({**headers, **_stream_headers(form)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""
        watch = asyncio.create_task(self._watch(receive), name="graphql disconnect")
        try:
            if self._encoder is None:
                await self._send_whole(send)
            else:
                await self._send_parts(send, self._encoder)
        except OSError:
            logger.debug("the client left")
        finally:
            self._exchange.close()
            watch.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._exchange.wake()

    async def _send_whole(self, send: Send) -> None:
        """Sends an answer that has one payload, once it is there."""
        payload = self._first
        while payload is None and not self._gone:
            await self._exchange.change()
            payload = self._exchange.execution.poll_initial()
        if payload is not None and not self._gone:
            body = encode_json(payload)
            await self._start(send, [(b"content-length", str(len(body)).encode())])
            await send({"type": "http.response.body", "body": body})

    async def _send_parts(self, send: Send, encoder: Encoder) -> None:
        execution = self._exchange.execution
        await self._start(send)
        out, payload = encoder.start(), self._first
        timer = self._schedule_beat()
        try:
            while not self._gone:
                if payload is not None:
                    out += encoder.part({**payload, "hasNext": not execution.done})
                    payload = None
                    if not execution.done:
                        out += self._news(encoder)
                else:
                    out += self._news(encoder)
                if execution.done:
                    await _send_body(send, out + encoder.end(), more=False)
                    return
                if out:
                    await _send_body(send, out, more=True)
                    out = b""
                if self._beat_due:
                    timer = self._schedule_beat()
                await self._exchange.change()
                if self._first is None:
                    payload = self._first = execution.poll_initial()
        finally:
            timer.cancel()

    def _news(self, encoder: Encoder) -> bytes:
        """Encodes what became ready since the last call, as one part."""
        if self._first is None:
            return b""
        execution = self._exchange.execution
        entries = execution.flush()
        if entries or execution.done:
            return encoder.part(_subsequent(entries, has_next=not execution.done))
        return encoder.heartbeat() if self._beat_due else b""

    def _schedule_beat(self) -> asyncio.TimerHandle:
        self._beat_due = False
        return asyncio.get_running_loop().call_later(self._heartbeat_seconds, self._beat)

    def _beat(self) -> None:
        self._beat_due = True
        self._exchange.wake()

    async def _start(self, send: Send, more_headers: list[tuple[bytes, bytes]] | None = None) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": [*self.raw_headers, *(more_headers or ())],
            }
        )


def refuse_mutation(request: GraphQLRequest) -> None:
    """Refuses a mutation that came by GET, whether it is valid or not.

    Raises:
        HTTPError: the operation is a mutation.
    """
    with contextlib.suppress(GraphQLSyntaxError):
        document = parse(request.query, no_location=True)
        operation = get_operation_ast(document, request.operation_name)
        if operation is not None and operation.operation is OperationType.MUTATION:
            raise HTTPError(405, "Can only perform a mutation operation from a POST request.", allow="POST")


def version_headers(client_version: str | None) -> dict[str, str]:
    """Returns the version header: the client's own version, or none.

    A client raises a false alarm over any other value, and checks nothing where the header is missing
    (`@copilotkit/runtime-client-gql`).
    """
    return {RUNTIME_VERSION: client_version} if client_version else {}


def check_client_version(client_version: str | None) -> None:
    """Refuses a client of another generation.

    Raises:
        RequestError: the client announces a version that this contract cannot serve.
    """
    if client_version and not client_version.startswith("1."):
        message = (
            f"This runtime serves @copilotkit/runtime-client-gql 1.x, and the client is version "
            f"{client_version[:40]}. Use matching versions of the CopilotKit packages."
        )
        raise RequestError([GraphQLError(message, extensions={"code": "VERSION_MISMATCH"})])


def _subsequent(entries: list[dict[str, Any]], *, has_next: bool) -> dict[str, Any]:
    return {"incremental": entries, "hasNext": has_next} if entries else {"hasNext": has_next}


def _stream_headers(form: Form) -> dict[str, str]:
    encoder = _ENCODERS.get(form)
    if encoder is None:
        return {"content-type": f"{form.value}; charset=utf-8"}
    return {"content-type": encoder.media_type, "cache-control": "no-cache", "x-accel-buffering": "no"}


def _answer(payload: dict[str, Any], form: Form, headers: Mapping[str, str]) -> Response:
    encoder = _ENCODERS.get(form)
    if encoder is None:
        body = encode_json(payload)
    else:
        body = encoder.start() + encoder.part(payload) + encoder.end()
    return Response(body, headers={**headers, **_stream_headers(form)})


def _single(payload: dict[str, Any], accept: str | None, headers: Mapping[str, str]) -> Response:
    """Answers with errors.

    The status is 200, because CopilotKit's clients show no text of any other answer. A client that asks for
    GraphQL over HTTP and nothing of theirs gets the 400 which that specification wants.
    """
    form = negotiate(accept, incremental=False)
    if form is None:
        return Response(status_code=406, headers=dict(headers))
    response = _answer(payload, form, headers)
    if form is Form.GRAPHQL_JSON and "multipart/mixed" not in (accept or ""):
        response.status_code = 400
    return response


def _refusal(error: HTTPError, accept: str | None, headers: Mapping[str, str]) -> Response:
    if not error.message:
        return Response(status_code=error.status_code, headers=dict(headers))
    form = negotiate(accept, incremental=False)
    media_type = Form.GRAPHQL_JSON if form is Form.GRAPHQL_JSON else Form.JSON
    headers = {**headers, "content-type": f"{media_type.value}; charset=utf-8"}
    if error.allow:
        headers["allow"] = error.allow
    payload = {"errors": [{"message": error.message, "extensions": {"code": "BAD_REQUEST"}}]}
    return Response(encode_json(payload), status_code=error.status_code, headers=headers)


async def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
