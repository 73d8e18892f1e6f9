"""The errors of the runtime.

CopilotKitError                 has a code, a status and a message that a client may read
├── AgentNotFoundError          the caller has no agent of that name
├── AuthenticationError         the application refuses the caller
├── ConfigurationError          the operator's set-up cannot serve the request
├── MissingApiKeyError          the request needs a CopilotKit Cloud key and carries none
├── InvalidRequestError         the request is malformed or exceeds a limit
├── AttachmentRefusedError      a file cannot be stored
├── GuardrailsDeniedError       what the user says is not allowed
├── GuardrailsUnavailableError  the message could not be checked
├── ThreadBusyError             the thread has a run in progress
├── ThreadNotFoundError         the caller has no such thread
├── RunLostError                the run is over, or another worker has it
│   └── RunDataLostError        the store has lost the data of a run in progress
├── StoreUnavailableError       the state store cannot be reached
│   └── StoreUnusableError      the operator has to fix something in the store
├── ShuttingDownError           the server is shutting down
├── RateLimitError              the caller, or all together, ask for too much at once
├── AgentError                  the agent failed, and its message is meant for the client
│   └── ProtocolViolationError  the agent's event stream breaks AG-UI's rules
├── ActionError                 a backend action failed, and its message is meant for model and client
└── InternalError               anything else; the message names an id, never the cause
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from .logs.records import get_logger, hide

logger = get_logger(__name__)

TROUBLESHOOTING_URL = "https://docs.copilotkit.ai/coagents/troubleshooting/common-issues"

# A run in progress, whose end is not known yet.
_RETRY_AFTER: Final = 5


PROCESS_EXITS: Final = (SystemExit, KeyboardInterrupt)
"""Exceptions that end an event loop, and every run on it, if a task raises them. Raised by an agent, an
action or a hook they are failures like any other: Ctrl-C reaches a server as a signal."""


class CopilotKitError(Exception):
    """An error that a client may see.

    The class attributes are the fields of the `extensions` object that CopilotKit's clients read.

    Attributes:
        code: a CopilotKit error code.
        status_code: the HTTP status that fits the error.
        severity: `critical`, `warning` or `info`.
        visibility: where the frontend shows it: `banner`, `toast`, `silent` or `dev_only`.
        troubleshooting_url: a page that helps, or None.
    """

    code: ClassVar[str] = "UNKNOWN"
    status_code: int = 500
    severity: ClassVar[str] = "critical"
    visibility: ClassVar[str] = "toast"
    troubleshooting_url: ClassVar[str | None] = None

    @property
    def message(self) -> str:
        """The text for the client, without credentials that a vendor's error may quote."""
        return hide(str(self.args[0])) if self.args else ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the error in an HTTP response."""
        return {}

    def extensions(self) -> dict[str, Any]:
        """The `extensions` object of this error in a GraphQL answer."""
        return {
            "name": "CopilotError",
            "statusCode": self.status_code,
            "code": self.code,
            "visibility": self.visibility,
            "severity": self.severity,
            "troubleshootingUrl": self.troubleshooting_url,
        }


class AgentNotFoundError(CopilotKitError):
    """No agent of that name is registered, or the caller may not use it."""

    code = "AGENT_NOT_FOUND"
    visibility = "banner"
    troubleshooting_url = f"{TROUBLESHOOTING_URL}#i-am-getting-agent-not-found-error"

    def __init__(self, name: str, available: Iterable[str]) -> None:
        names = ", ".join(available)
        hint = (
            f"Available agents are: {names}. Please verify the agent name in your configuration and ensure "
            "it matches one of the available agents.\n\n"
            if names
            else "Please set up at least one agent before proceeding. "
        )
        url = self.troubleshooting_url
        super().__init__(f"Agent '{name}' was not found. {hint}See more: [{url}]({url})")


class AuthenticationError(CopilotKitError):
    """The application refuses the caller: it does not know them (401), or they have no access (403)."""

    code = "AUTHENTICATION_ERROR"
    visibility = "banner"
    status_code = 401
    troubleshooting_url = f"{TROUBLESHOOTING_URL}#authentication-errors"


class ConfigurationError(CopilotKitError):
    """The operator's set-up cannot serve the request."""

    code = "CONFIGURATION_ERROR"
    status_code = 400
    severity = "warning"
    visibility = "banner"


class MissingApiKeyError(CopilotKitError):
    """The request needs a CopilotKit Cloud key and carries none."""

    code = "MISSING_PUBLIC_API_KEY_ERROR"
    status_code = 401
    visibility = "banner"


class InvalidRequestError(CopilotKitError):
    """The request is malformed or exceeds a limit."""

    code = "BAD_REQUEST"
    status_code = 400


class AttachmentRefusedError(CopilotKitError):
    """A file cannot be stored: it is too large, of a type that is not allowed, or one too many."""

    code = "ATTACHMENT_REFUSED"
    severity = "warning"

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class GuardrailsDeniedError(CopilotKitError):
    """What the user says is not allowed. The message is the reason."""

    code = "GUARDRAILS_VALIDATION_FAILED"
    status_code = 403
    severity = "warning"


class GuardrailsUnavailableError(CopilotKitError):
    """The user's message could not be checked."""

    code = "GUARDRAILS_UNAVAILABLE"
    status_code = 503

    def __init__(self) -> None:
        super().__init__("The message could not be checked. Please try again.")


class ThreadBusyError(CopilotKitError):
    """The thread has a run in progress."""

    code = "THREAD_BUSY"
    status_code = 409
    severity = "warning"

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"Thread '{thread_id}' has a run in progress. Stop it, or wait for its end.")


class ThreadNotFoundError(CopilotKitError):
    """The caller has no such thread."""

    code = "THREAD_NOT_FOUND"
    status_code = 404

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"Thread '{thread_id}' was not found.")


class RunLostError(CopilotKitError):
    """The run is over, or another worker has it."""

    code = "RUN_LOST"
    status_code = 409

    def __init__(self) -> None:
        super().__init__("The run was ended elsewhere.")


class RunDataLostError(RunLostError):
    """The store has lost a run in progress, as when its server restarts without its data."""


class StoreUnavailableError(CopilotKitError):
    """The state store cannot be reached."""

    code = "STORE_UNAVAILABLE"
    status_code = 503

    def __init__(self) -> None:
        super().__init__("Conversations cannot be read or stored at the moment. Please try again.")


class StoreUnusableError(StoreUnavailableError):
    """The store cannot be used until the operator fixes something, such as tables of a newer release.

    The exception's text is the reason, for the log and the command line. Clients read an error id only.

    Attributes:
        error_id: the id, which the log has with the reason.
    """

    def __init__(self, reason: str) -> None:
        CopilotKitError.__init__(self, reason)
        # The log states each reason once, so all clients that meet it get the same id.
        self.error_id = hashlib.sha256(reason.encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def message(self) -> str:
        """The text for the client."""
        return f"Conversations cannot be read or stored at the moment (error id {self.error_id})."


class ShuttingDownError(CopilotKitError):
    """The server is shutting down."""

    code = "SHUTTING_DOWN"
    status_code = 503

    def __init__(self) -> None:
        super().__init__("The server is shutting down. Please try again.")


class RateLimitError(CopilotKitError):
    """The caller, or all together, ask for too much at once.

    Attributes:
        retry_after: the number of seconds after which a retry may succeed.
    """

    code = "RATE_LIMITED"
    status_code = 429
    severity = "warning"

    def __init__(self, message: str, *, retry_after: int = _RETRY_AFTER) -> None:
        unit = "second" if retry_after == 1 else "seconds"
        super().__init__(f"{message} Please try again in {retry_after} {unit}.")
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """See RFC 9110, section 10.2.3."""
        return {"retry-after": str(self.retry_after)}

    def extensions(self) -> dict[str, Any]:
        """The usual object, and `retryAfter` in seconds."""
        return {**super().extensions(), "retryAfter": self.retry_after}


class AgentError(CopilotKitError):
    """The agent failed, and its message is meant for the client.

    Attributes:
        agent_code: the agent's own code for the failure, if it gave one.
    """

    def __init__(self, message: str, agent_code: str | None = None, *, status_code: int = 500) -> None:
        super().__init__(message)
        self.agent_code = agent_code
        self.status_code = status_code


class ProtocolViolationError(AgentError):
    """The agent's event stream breaks AG-UI's rules."""


class ActionError(CopilotKitError):
    """A backend action failed, and its message is meant for the model and the client.

    Attributes:
        action_code: the kind of failure, for code that reads the result.
    """

    def __init__(self, message: str, action_code: str = "HANDLER_ERROR") -> None:
        super().__init__(message)
        self.action_code = action_code


class InternalError(CopilotKitError):
    """An error whose cause stays in the server's log, under the id that the message names."""

    def __init__(self, error_id: str) -> None:
        super().__init__(f"An internal error occurred (error id {error_id}).")
        self.error_id = error_id


def masked(error: BaseException, subject: str, *, development: bool = False) -> CopilotKitError:
    """Returns the error that a client may see. An unexpected one is logged under the id in its message.

    Args:
        error: the error.
        subject: what failed, for the log.
        development: the client may see the text of any exception.
    """
    if isinstance(error, CopilotKitError):
        return error
    error_id = uuid.uuid4().hex[:12]
    logger.error("%s failed (error id %s)", subject, error_id, exc_info=error)
    if development:
        return CopilotKitError(f"{type(error).__name__}: {error}")
    return InternalError(error_id)
