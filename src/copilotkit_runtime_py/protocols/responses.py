"""JSON responses, and errors that become one."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..agui.events import encode
from ..errors import AgentNotFoundError, CopilotKitError


class HTTPError(Exception):
    """A request that is refused.

    Attributes:
        status_code: the HTTP status.
        body: the JSON of the answer.
        allow: the methods for the `Allow` header, if the method was the fault.
    """

    def __init__(self, status_code: int, body: dict[str, Any], *, allow: str | None = None) -> None:
        super().__init__(body.get("message") or body.get("error"))
        self.status_code = status_code
        self.body = body
        self.allow = allow

    def response(self) -> Response:
        """Returns the answer."""
        return json_response(self.body, self.status_code, {"allow": self.allow} if self.allow else None)


def invalid_request(message: str, status_code: int = 400) -> HTTPError:
    """Returns the error for an invalid request."""
    return HTTPError(status_code, {"error": "invalid_request", "message": message})


def not_found(message: str | None = None) -> HTTPError:
    """Returns the error for an unknown path."""
    return HTTPError(404, {"error": "Not found"} | ({"message": message} if message else {}))


def json_response(body: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns a JSON response that no cache stores."""
    return Response(
        encode(body),
        status_code=status_code,
        headers={"content-type": "application/json", "cache-control": "no-store", **(headers or {})},
    )


def error_body(error: CopilotKitError, requested_agent: str | None = None) -> dict[str, Any]:
    """Returns the JSON of an error, in the words of CopilotRuntime 1.75 if it has the error."""
    if isinstance(error, AgentNotFoundError):
        return {"error": "Agent not found", "message": f"Agent '{requested_agent}' does not exist"}
    return {"error": error.message, "message": error.message, "code": error.code}
