"""Turns the result of the application's dependency into the owner of threads, or into a refusal."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ..errors import AuthenticationError, CopilotKitError, InvalidRequestError

Identify: TypeAlias = Callable[..., Any]
"""A FastAPI dependency that returns the user: an id, or an object with an `id`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal of a request.

    Attributes:
        error: the reason, in the application's words.
        headers: headers of the response, such as `www-authenticate`.
    """

    error: CopilotKitError
    headers: Mapping[str, str] = field(default_factory=dict)


def owner_of(user: Any) -> str:
    """Returns the id of a user as the owner of threads.

    Raises:
        AuthenticationError: there is no user. Dependencies with `auto_error=False` return none for a caller
            without credentials.
        TypeError: this is neither an id nor an object with one.
    """
    if user is None:
        raise AuthenticationError("Not authenticated")
    id = user if isinstance(user, str) else getattr(user, "id", None)
    if not isinstance(id, str | int | UUID) or id == "":
        raise TypeError(f"'identify' returned {type(user).__name__}, not an id or an object with an 'id'.")
    return str(id)


def refusal_of(error: HTTPException | RequestValidationError) -> Refusal:
    """Returns the refusal that a dependency raised."""
    headers: Mapping[str, str] = {}
    if isinstance(error, RequestValidationError):
        problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        refused: CopilotKitError = InvalidRequestError("; ".join(problems))
        refused.status_code = 422
    else:
        message = error.detail if isinstance(error.detail, str) else "The request was refused."
        headers = error.headers or {}
        kind = AuthenticationError if error.status_code in (401, 403) else CopilotKitError
        refused = kind(message)
        refused.status_code = error.status_code
    return Refusal(refused, headers)


def is_exposed(request: Request) -> bool:
    """Whether the request arrived at an address of this machine that others can reach."""
    server = request.scope.get("server")
    try:
        return server is not None and not ipaddress.ip_address(server[0]).is_loopback
    except ValueError:
        return False
