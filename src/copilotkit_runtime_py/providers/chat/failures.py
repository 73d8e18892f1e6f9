"""The errors that a client gets when the model cannot answer."""

from __future__ import annotations

from typing import Final

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from ...errors import AgentError

_CREDENTIALS: Final = "The model's vendor does not accept the server's credentials."
_AWAY: Final = "The model cannot be reached. Please try again."

_TOLD: Final[dict[type[ModelError], tuple[str, str, int]]] = {
    ContextOverflowError: ("The conversation is too long for the model.", "CONTEXT_OVERFLOW", 400),
    ModelAuthenticationError: (_CREDENTIALS, "MODEL_AUTHENTICATION", 502),
    ModelPermissionDeniedError: (_CREDENTIALS, "MODEL_AUTHENTICATION", 502),
    ModelNotFoundError: ("The model's vendor does not know the model.", "MODEL_NOT_FOUND", 502),
    ModelRateLimitError: ("The model is busy. Please try again in a moment.", "MODEL_RATE_LIMIT", 503),
    ModelTimeoutError: ("The model took too long to answer.", "MODEL_TIMEOUT", 504),
    ModelConnectionError: (_AWAY, "MODEL_UNREACHABLE", 502),
    ModelAPIError: ("The model's vendor failed to answer. Please try again.", "MODEL_FAILED", 502),
}


def client_error(error: ModelError) -> AgentError | None:
    """Returns what a client may know of a failed model call, or None where that is nothing.

    A vendor's own words are never passed on: they may quote a key, an account or the request.
    """
    for kind, (message, code, status_code) in _TOLD.items():
        if isinstance(error, kind):
            return AgentError(message, code, status_code=status_code)
    return None
