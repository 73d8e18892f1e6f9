"""Reading a GraphQL request from an HTTP request."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from ...agui.json_input import RequestJSON
from ...limits import Limits
from ..request_body import RequestBody

_JSON: Final = "application/json"
_GRAPHQL: Final = "application/graphql"


class GraphQLRequest(NamedTuple):
    """What a client asks for."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]


class GraphQLHTTPError(Exception):
    """The HTTP request is not a GraphQL request.

    Attributes:
        status_code: the HTTP status of the answer.
        message: the text for the client, or an empty text for an answer without a body.
        allow: the methods for the `Allow` header, if the method was the fault.
    """

    def __init__(self, status_code: int, message: str = "", *, allow: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.allow = allow


async def from_query_string(query_string: bytes, limits: Limits) -> GraphQLRequest:
    """Reads a GET request.

    Raises:
        GraphQLHTTPError: there is no query, or the variables are not a JSON object.
        InvalidRequestError: the variables exceed the limits.
    """
    fields = {name: values[0] for name, values in parse_qs(query_string.decode("latin-1")).items()}
    if not fields.get("query"):
        raise GraphQLHTTPError(400, "Must provide query string.", allow="GET, POST")
    variables: Any = {}
    if fields.get("variables"):
        try:
            variables = await RequestJSON(limits).read(fields["variables"].encode())
        except ValueError as error:
            raise GraphQLHTTPError(400, "Variables are invalid JSON.") from error
    return _request({**fields, "variables": variables})


def from_body(content_type: str | None, body: RequestBody) -> GraphQLRequest:
    """Reads a POST request.

    Form-encoded bodies and plain text are refused: a page of another origin can send them without a
    preflight.

    Raises:
        GraphQLHTTPError: the content type is not JSON, or the body is not a GraphQL request.
        InvalidRequestError: the body exceeds the limits of JSON.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == _GRAPHQL:
        return _request({"query": body.data.decode("utf-8", "replace")})
    if media_type != _JSON and not media_type.endswith("+json"):
        raise GraphQLHTTPError(415)
    try:
        params = body.json()
    except ValueError as error:
        raise GraphQLHTTPError(400, "POST body sent invalid JSON.") from error
    if isinstance(params, list):
        raise GraphQLHTTPError(400, "Batching is not supported.")
    if not isinstance(params, dict):
        kinds = {str: "string", bool: "boolean", int: "number", float: "number"}
        kind = kinds.get(type(params), "null")
        raise GraphQLHTTPError(400, f"POST body is expected to be object but received {kind}")
    return _request(params)


def _request(params: dict[str, Any]) -> GraphQLRequest:
    query, variables = params.get("query"), params.get("variables")
    if query is None or query == "":
        raise GraphQLHTTPError(400, "Must provide query string.")
    if not isinstance(query, str):
        raise GraphQLHTTPError(400, "Expected a string in the 'query' parameter.")
    if variables is not None and not isinstance(variables, dict):
        raise GraphQLHTTPError(400, "Expected an object in the 'variables' parameter.")
    operation_name = params.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise GraphQLHTTPError(400, "Expected a string in the 'operationName' parameter.")
    return GraphQLRequest(query, operation_name or None, _with_config(variables or {}))


def _with_config(variables: dict[str, Any]) -> dict[str, Any]:
    """Moves an agent state's `configurable` to `config`, where clients from 1.8.10 on have it.

    `AgentStateInput` of CopilotRuntime 1.10.6 has no such field, while `useCoAgent` of 1.8.3 to 1.8.9 sends
    it with every request. Both are JSON texts.
    """
    for value in variables.values():
        states = value.get("agentStates") if isinstance(value, dict) else None
        for state in states if isinstance(states, list) else ():
            if isinstance(state, dict) and isinstance(state.get("configurable"), str | None):
                configurable = state.pop("configurable", None)
                if configurable is not None:
                    state.setdefault("config", f'{{"configurable":{configurable or "{}"}}}')
    return variables
