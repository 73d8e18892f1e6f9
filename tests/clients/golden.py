"""The recorded answers of the reference runtime, `tests/golden/v1`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.driver import Clients
from tests.clients.exchange import input_of
from tests.clients.wire import check_stream, comparable, comparable_message, multipart
from tests.scripted_agent import FUNCTIONS, Call, Script

CORPUS = Path(__file__).parents[1] / "golden" / "v1"


def load(path: Path) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recording


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (CORPUS / kind).glob("*.json"))


def script_of(recording: dict[str, Any]) -> Script:
    """The script of a recording's agent."""
    script: str | list[dict[str, Any]] = recording.get("script", [])
    return FUNCTIONS[script] if isinstance(script, str) else script


@dataclass
class Outcome:
    """What came of a request: what the client holds and says, and what reached the agent.

    Attributes:
        response: the client's final data, comparable.
        messages: the client's messages, comparable.
        errors: what the client reported.
        input: the RunAgentInput without its runId, or None if the agent was not called.
    """

    response: Any
    messages: list[dict[str, Any]]
    errors: list[str]
    input: dict[str, Any] | None


def failed(description: str) -> dict[str, Any]:
    """The status of a response whose run failed."""
    severity = {"code": "UNKNOWN", "statusCode": 500, "severity": "critical", "visibility": "toast"}
    extensions = {"name": "CopilotError", "troubleshootingUrl": None, **severity}
    return {
        "code": "Failed",
        "__typename": "FailedResponseStatus",
        "reason": "UNKNOWN_ERROR",
        "details": {"description": description, "originalError": {**severity, "extensions": extensions}},
    }


def outcome_of(result: dict[str, Any], run_input: dict[str, Any] | None) -> Outcome:
    return Outcome(
        response=comparable(result.get("final") or result.get("data")),
        messages=[comparable_message(message) for message in result.get("messages", [])],
        errors=said(result),
        input=run_input,
    )


def said(result: dict[str, Any]) -> list[str]:
    error = result.get("threw") or result.get("error")
    message = re.sub(r"(?<=Available agents are: )[^.]+", "…", error["message"]) if error else None
    return [] if message is None else [message]


def recorded(recording: dict[str, Any]) -> Outcome:
    """What came of the recorded request."""
    return outcome_of(recording["client"], recording.get("agent_input"))


def observe(recording: dict[str, Any], clients: Clients, url: str, calls: list[Call]) -> Outcome:
    """Makes the recorded request again, checks the stream, and returns what came of it."""
    result = clients.ask(recording["operation"], url, variables=recording["variables"])
    wire = result["wire"]
    if wire["headers"]["content-type"].startswith("multipart/mixed"):
        check_stream(multipart(wire["body"]))
    return outcome_of(result, input_of(calls[0]) if calls else None)
