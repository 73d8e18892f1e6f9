"""Where this server answers better than CopilotRuntime 1.75, or other than it for a reason.

Each function changes the two answers of one exchange so that they are equal where only the difference that it
tells of is between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

Answer: TypeAlias = dict[str, Any]
Deviation: TypeAlias = Callable[[str, Answer, Answer], tuple[Answer, Answer]]

HINT: Final = (
    "The body is neither a GraphQL request (a 'query') nor a single-route AG-UI request (a 'method')."
)


def begins_with_run_started(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """A run that fails at once begins like any other: so the user's message is kept, and replayed."""
    started, *events = answer["events"]
    assert started["type"] == "RUN_STARTED"
    assert [message["content"] for message in started["input"]["messages"]] == ["hi"]
    return {**answer, "events": events}, recorded


def keeps_a_run_that_failed_at_once(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """The user's message is there after a reload, and no alarm is raised again."""
    if label == "run":
        return begins_with_run_started(label, answer, recorded)
    assert [event["type"] for event in answer["events"]] == ["RUN_STARTED", "RUN_FINISHED"]
    assert [message["content"] for message in answer["events"][0]["input"]["messages"]] == ["hi"]
    return {**answer, "events": []}, recorded


def tells_of_a_failed_suggestion(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """A frontend learns why there are no suggestions."""
    assert answer["events"][1:] == [
        {"type": "RUN_ERROR", "message": 'HTTP 500: {"detail":"kaboom"}', "code": "INCOMPLETE_STREAM"}
    ]
    return {**answer, "events": []}, recorded


def closes_before_the_error(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """A message that is open when the agent reports its error is closed before it."""
    *events, closing, error = answer["events"]
    assert closing["type"] == "TEXT_MESSAGE_END"
    return {**answer, "events": [*events, error]}, recorded


def says_more_plainly_that_json_is_malformed(
    label: str, answer: Answer, recorded: Answer
) -> tuple[Answer, Answer]:
    """V8's words for malformed JSON are V8's; what was valid before it arrives however fast it came."""
    *events, error = answer["events"]
    assert error == {
        "type": "RUN_ERROR",
        "message": "The agent sent an event that is not valid JSON",
        "code": "INCOMPLETE_STREAM",
    }
    assert [event["type"] for event in events][:2] == ["RUN_STARTED", "TEXT_MESSAGE_START"]
    assert events[-1]["type"] == "TEXT_MESSAGE_END"
    return {**answer, "events": events[:1]}, {**recorded, "events": recorded["events"][:1]}


def tells_of_properties_always(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """Agents and readers find an object where a client sent no `forwardedProps`, or null."""
    for event in (answer["events"][0], recorded["events"][0]):
        event["input"]["forwardedProps"] = event["input"].get("forwardedProps") or {}
    return answer, recorded


def names_both_contracts(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """A body of neither contract is told of both; null is no crash."""
    if label == "JSON null":
        assert recorded["status"] == 500
        expected = {"error": "invalid_request", "message": "Missing method field"}
        recorded = {**recorded, "status": 400, "json": expected}
    if "errors" in answer["json"]:
        assert [error["message"] for error in answer["json"]["errors"]] == [HINT]
        answer = {**answer, "json": {k: v for k, v in answer["json"].items() if k != "errors"}}
    return answer, recorded


def serves_both_modes_and_graphql(label: str, answer: Answer, recorded: Answer) -> tuple[Answer, Answer]:
    """One URL serves every frontend, so what a mode lacks at CopilotRuntime is answered here."""
    if label == "GET base":
        assert answer["status"] == 400  # a GraphQL request without a query
        return answer, answer
    if label in ("POST /info", "GET /info", "single-route envelope against multi-route"):
        assert (answer["status"], answer["version"]) == (200, "1.75.0")
        return answer, answer
    return answer, recorded


DEVIATIONS: Final[dict[str, Deviation]] = {
    "connect-replay-after-agent-500": keeps_a_run_that_failed_at_once,
    "envelope-errors": names_both_contracts,
    "not-found-paths": serves_both_modes_and_graphql,
    "run-agent-401": begins_with_run_started,
    "run-agent-500": begins_with_run_started,
    "run-agent-not-sse": begins_with_run_started,
    "run-agent-unreachable": begins_with_run_started,
    "run-body-minimal": tells_of_properties_always,
    "run-body-null-state": tells_of_properties_always,
    "run-empty-stream": begins_with_run_started,
    "run-error-event": closes_before_the_error,
    "run-error-event-first": begins_with_run_started,
    "run-malformed-json": says_more_plainly_that_json_is_malformed,
    "run-malformed-json-slow": says_more_plainly_that_json_is_malformed,
    "suggest-agent-500": tells_of_a_failed_suggestion,
}
