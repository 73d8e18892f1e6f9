"""GraphQL over HTTP: each request gets one response, or a stream of parts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLSyntaxError, OperationType, get_operation_ast, parse
from starlette.requests import Request
from starlette.responses import Response

from ...agui.events import encode
from ...context import RequestContext
from ...errors import CopilotKitError, InvalidRequestError
from ...runtime import CopilotRuntime
from ..off_loop import off_loop_if_long
from ..request_body import RequestBody
from ..stream import StreamResponse
from .client import Client
from .executor.document import DocumentCache, GraphQLRequestError, Operation
from .feed import ExecutionFeed
from .multipart import Encoder, JSONEncoder, MultipartEncoder, SSEEncoder
from .negotiation import Form, negotiate
from .request import GraphQLHTTPError, GraphQLRequest, from_body, from_query_string
from .schema import SCHEMA

_ENCODERS: Final[dict[Form, Encoder]] = {
    Form.MULTIPART: MultipartEncoder(),
    Form.SSE: SSEEncoder(),
    Form.JSON: JSONEncoder(Form.JSON.value),
    Form.GRAPHQL_JSON: JSONEncoder(Form.GRAPHQL_JSON.value),
}

HEARTBEAT_SECONDS: Final = 12.0
_METHODS: Final = "GET, POST"


class GraphQLEndpoint:
    """Serves the GraphQL contract of CopilotRuntime 1.10.6 for one runtime.

    Args:
        runtime: the runtime.
        heartbeat_seconds: the longest silence on a stream, so that proxies keep it open.
    """

    def __init__(self, runtime: CopilotRuntime, *, heartbeat_seconds: float | None = None) -> None:
        self._runtime = runtime
        self._heartbeat_seconds = HEARTBEAT_SECONDS if heartbeat_seconds is None else heartbeat_seconds
        self._documents = DocumentCache(SCHEMA, limits=runtime.limits, introspection=False)
        self._open_documents = DocumentCache(SCHEMA, limits=runtime.limits, introspection=True)

    async def handle(
        self, request: Request, body: RequestBody, context: RequestContext, *, introspection: bool = False
    ) -> Response:
        """Answers a request whose body was read already.

        Args:
            request: the request.
            body: its body.
            context: the caller, and other facts of the HTTP request.
            introspection: the caller may ask for the schema.
        """
        accept = request.headers.get("accept")
        client = Client.of(request.headers)
        headers = client.headers()
        try:
            client.check_version()
            if request.method == "GET":
                limits = self._runtime.limits
                graphql_request = await from_query_string(request.scope["query_string"], limits)
                refuse_mutation(graphql_request, limits.query_tokens)
            elif request.method == "POST":
                graphql_request = from_body(request.headers.get("content-type"), body)
            else:
                raise GraphQLHTTPError(405, "GraphQL only supports GET and POST requests.", allow=_METHODS)
            operation = await self._operation(graphql_request, body, introspection=introspection)
        except GraphQLHTTPError as error:
            return _refusal(error, accept, headers)
        except GraphQLRequestError as error:
            return _single({"errors": [e.formatted for e in error.errors]}, accept, headers)
        except InvalidRequestError as error:
            payload = {"errors": [{"message": error.message, "extensions": error.extensions()}]}
            return _single(payload, accept, headers)
        form = negotiate(accept, incremental=operation.is_incremental)
        if form is None:
            offered = "text/event-stream; charset=utf-8, multipart/mixed"
            return Response(status_code=406, headers={**headers, "accept": offered})
        return await self._execute(operation, request, context, client, form)

    def refuse(self, request: Request, error: CopilotKitError) -> Response:
        """Answers a refused request, whatever its operation.

        CopilotKit's clients show the text of a response only if its status is 200.
        All other clients get the error's own status.
        """
        accept = request.headers.get("accept")
        headers = Client.of(request.headers).headers()
        payload = {"errors": [{"message": error.message, "extensions": error.extensions()}]}
        response = _answer(payload, negotiate(accept, incremental=False) or Form.JSON, headers)
        if not _is_copilotkit(accept):
            response.status_code = error.status_code
        return response

    async def _operation(
        self, request: GraphQLRequest, body: RequestBody, *, introspection: bool
    ) -> Operation:
        documents = self._open_documents if introspection else self._documents
        document = documents.document(request.query)
        # A message has some hundred bytes.
        messages = len(body.data) // 256
        return await off_loop_if_long(messages, document.operation, request.operation_name, request.variables)

    async def _execute(
        self,
        operation: Operation,
        request: Request,
        context: RequestContext,
        client: Client,
        form: Form,
    ) -> Response:
        headers = client.headers()
        feed = ExecutionFeed(self._runtime, operation, context, client=client, encoder=_ENCODERS[form])
        try:
            complete = await feed.start()
        except BaseException:
            feed.close()
            raise
        if complete is not None:
            feed.close()
            plain = negotiate(request.headers.get("accept"), incremental=False) or form
            return _answer(complete, plain, headers)
        return StreamResponse(
            feed.open,
            heartbeat_seconds=self._heartbeat_seconds,
            reader_seconds=self._runtime.limits.reader_seconds,
            headers={**headers, **_form_headers(form)},
        )


def refuse_mutation(request: GraphQLRequest, max_tokens: int) -> None:
    """Refuses a mutation by GET, whether it is valid or not.

    Raises:
        GraphQLHTTPError: the operation is a mutation.
    """
    with contextlib.suppress(GraphQLSyntaxError):
        document = parse(request.query, no_location=True, max_lexical_tokens=max_tokens)
        operation = get_operation_ast(document, request.operation_name)
        if operation is not None and operation.operation is OperationType.MUTATION:
            raise GraphQLHTTPError(
                405, "Can only perform a mutation operation from a POST request.", allow="POST"
            )


def _form_headers(form: Form) -> dict[str, str]:
    headers = {"content-type": _ENCODERS[form].media_type}
    if form in (Form.MULTIPART, Form.SSE):
        headers |= {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return headers


def _answer(payload: dict[str, Any], form: Form, headers: Mapping[str, str]) -> Response:
    encoder = _ENCODERS[form]
    body = encoder.start() + encoder.part(payload) + encoder.end()
    return Response(body, headers={**headers, **_form_headers(form)})


def _single(payload: dict[str, Any], accept: str | None, headers: Mapping[str, str]) -> Response:
    """Answers with errors.

    The status is 200, because CopilotKit's clients show no text of any other answer. A client that asks for
    GraphQL over HTTP, and not for their format, gets the 400 that the specification requires.
    """
    form = negotiate(accept, incremental=False)
    if form is None:
        return Response(status_code=406, headers=dict(headers))
    response = _answer(payload, form, headers)
    if form is Form.GRAPHQL_JSON and not _is_copilotkit(accept):
        response.status_code = 400
    return response


def _is_copilotkit(accept: str | None) -> bool:
    """Whether this is a client of CopilotKit: they accept the response in parts."""
    return "multipart/mixed" in (accept or "")


def _refusal(error: GraphQLHTTPError, accept: str | None, headers: Mapping[str, str]) -> Response:
    if not error.message:
        return Response(status_code=error.status_code, headers=dict(headers))
    form = negotiate(accept, incremental=False)
    media_type = Form.GRAPHQL_JSON if form is Form.GRAPHQL_JSON else Form.JSON
    headers = {**headers, "content-type": f"{media_type.value}; charset=utf-8"}
    if error.allow:
        headers["allow"] = error.allow
    payload = {"errors": [{"message": error.message, "extensions": {"code": "BAD_REQUEST"}}]}
    return Response(encode(payload), status_code=error.status_code, headers=headers)
