"""One request, by a REST path or in an envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from ...agui.input_checks import check_id
from ...context import RequestContext
from ...errors import InvalidRequestError
from ...limits import Limits
from ..request_body import RequestBody
from ..responses import HTTPError, invalid_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An operation that a client asks for, by a REST path or in a single-route envelope.

    Attributes:
        operation: the operation, as the envelope names it (`agent/run`, `threads/list`, ...).
        params: the names in the path or the envelope: `agentId`, `threadId`.
        query: the query string of the path.
        body: the body of the request, or what the envelope has as its body.
        request: the HTTP request.
        context: the caller, and other facts of the HTTP request.
    """

    operation: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: RequestBody
    request: Request
    context: RequestContext

    @property
    def agent_id(self) -> str:
        """The agent that the request names."""
        return self.params["agentId"]

    @property
    def thread_id(self) -> str:
        """The thread that the request names."""
        return self.params["threadId"]

    def check_names(self, limits: Limits) -> None:
        """Refuses names, in the path, the envelope or the query string, that no store can hold.

        Raises:
            HTTPError: there is such a name.
        """
        try:
            for name, value in (*self.params.items(), *self.query.items()):
                check_id(name, value, limits)
        except InvalidRequestError as error:
            raise invalid_request(error.message) from None

    def json(self) -> Any:
        """Returns the body's value. The content type is ignored, as by CopilotRuntime.

        Raises:
            HTTPError: the body is not JSON, or exceeds the limits of it.
        """
        try:
            return self.body.json()
        except InvalidRequestError as error:
            raise _invalid(error.message) from None
        except ValueError as error:
            raise _invalid(str(error)) from None


def _invalid(details: str) -> HTTPError:
    return HTTPError(400, {"error": "Invalid request body", "details": details})
