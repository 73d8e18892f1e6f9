"""The media type of a response: the client's `Accept` header, and what the operation needs."""

from __future__ import annotations

import enum
from collections.abc import Iterator


class Form(enum.Enum):
    """A form of the answer, by its media type."""

    JSON = "application/json"
    GRAPHQL_JSON = "application/graphql-response+json"
    SSE = "text/event-stream"
    MULTIPART = "multipart/mixed"


_WILDCARDS = {
    "*/*": tuple(Form),
    "application/*": (Form.JSON,),
    "text/*": (Form.SSE,),
    "multipart/*": (Form.MULTIPART,),
}


def negotiate(accept: str | None, *, incremental: bool) -> Form | None:
    """Returns the form of the answer, or None if the client accepts none of the possible ones.

    An incremental answer is multipart wherever that is accepted, whatever the order, else SSE. Any other
    answer takes the first form that the client names (both as CopilotRuntime 1.10.6).
    """
    forms = list(_accepted(accept or "*/*"))
    if incremental:
        return next((form for form in (Form.MULTIPART, Form.SSE) if form in forms), None)
    return forms[0] if forms else None


def _accepted(accept: str) -> Iterator[Form]:
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if "q=0" in parameters:
            continue
        if media_type in _WILDCARDS:
            yield from _WILDCARDS[media_type]
        else:
            yield from (form for form in Form if form.value == media_type)
