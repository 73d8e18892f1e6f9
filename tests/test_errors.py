"""What clients may see of an error."""

from __future__ import annotations

import re

import pytest

from copilotkit_runtime_py import errors
from copilotkit_runtime_py.errors import (
    AgentError,
    AgentNotFoundError,
    CopilotKitError,
    InternalError,
    InvalidRequestError,
    ThreadBusyError,
    ThreadNotFoundError,
)


def tree(error_type: type[Exception], depth: int = 0) -> list[tuple[int, str]]:
    children = [child for child in error_type.__subclasses__() if child.__module__ == errors.__name__]
    return [(depth, error_type.__name__)] + [entry for child in children for entry in tree(child, depth + 1)]


def test_the_printed_tree_is_the_hierarchy() -> None:
    assert errors.__doc__ is not None
    printed = re.findall(r"^([│├└─ ]*)(\w+Error) {2,}\S", errors.__doc__, re.MULTILINE)
    assert [(len(indent) // 4, name) for indent, name in printed] == tree(CopilotKitError)


@pytest.mark.parametrize(
    ("error", "code", "status_code"),
    [
        (CopilotKitError("x"), "UNKNOWN", 500),
        (AgentNotFoundError("a", []), "AGENT_NOT_FOUND", 500),
        (InvalidRequestError("x"), "BAD_REQUEST", 400),
        (ThreadBusyError("t"), "THREAD_BUSY", 409),
        (ThreadNotFoundError("t"), "THREAD_NOT_FOUND", 404),
        (AgentError("x"), "UNKNOWN", 500),
        (AgentError("x", "RATE_LIMIT", status_code=429), "UNKNOWN", 429),
        (InternalError("e1"), "UNKNOWN", 500),
    ],
)
def test_an_error_has_a_code_and_a_status(error: CopilotKitError, code: str, status_code: int) -> None:
    assert (error.code, error.status_code) == (code, status_code)
    assert error.extensions() == {
        "name": "CopilotError",
        "statusCode": status_code,
        "code": code,
        "visibility": error.visibility,
        "severity": error.severity,
        "troubleshootingUrl": error.troubleshooting_url,
    }
    assert error.severity in ("critical", "warning", "info")
    assert error.visibility in ("banner", "toast", "silent", "dev_only")


def test_the_status_of_one_failure_is_not_that_of_the_next() -> None:
    AgentError("x", status_code=404)
    assert AgentError("x").status_code == 500


def test_a_message_is_what_was_said() -> None:
    assert [CopilotKitError("x").message, CopilotKitError().message] == ["x", ""]
    assert ThreadBusyError("t1").message == "Thread 't1' has a run in progress. Stop it, or wait for its end."


def test_a_missing_agent_is_explained() -> None:
    url = AgentNotFoundError.troubleshooting_url
    assert AgentNotFoundError("ghost", ["a", "b"]).message == (
        "Agent 'ghost' was not found. Available agents are: a, b. Please verify the agent name in your "
        "configuration and ensure it matches one of the available agents.\n\n"
        f"See more: [{url}]({url})"
    )
    assert AgentNotFoundError("ghost", []).message == (
        "Agent 'ghost' was not found. Please set up at least one agent before proceeding. "
        f"See more: [{url}]({url})"
    )


def test_an_internal_error_names_an_id_and_nothing_else() -> None:
    assert InternalError("abc").message == "An internal error occurred (error id abc)."
