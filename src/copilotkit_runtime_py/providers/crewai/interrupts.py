"""Interrupts: the feedback that a flow waits for, and the answers to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ag_ui.core import RunAgentInput
from crewai.flow.async_feedback import PendingFeedbackContext
from pydantic_core import to_jsonable_python

from ...agui.events import as_text

REASON = "crewai:human_feedback"
"""The `reason` of these interrupts, as upstream's adapter names it."""


def to_agui_interrupt(pending: PendingFeedbackContext) -> dict[str, Any]:
    """Returns what a flow waits for as an AG-UI 1.0 `Interrupt` in JSON form.

    `metadata.crewai` has the method, its output and the outcomes to choose from.
    """
    interrupt: dict[str, Any] = {"id": interrupt_id(pending), "reason": REASON, "message": pending.message}
    if pending.emit:
        interrupt["responseSchema"] = {"type": "string", "enum": list(pending.emit)}
    asked = {
        "methodName": pending.method_name,
        "output": to_jsonable_python(pending.method_output, serialize_unknown=True),
        "emit": list(pending.emit or ()),
    }
    return {**interrupt, "metadata": {"crewai": asked}}


def interrupt_id(pending: PendingFeedbackContext) -> str:
    """Returns a key that identifies this question within its flow, also after a restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pending.flow_id} {pending.requested_at.isoformat()}"))


def answer_to(pending: PendingFeedbackContext, input: RunAgentInput) -> str | None:
    """Returns the answer that a request carries to the open question as text, None if it carries none.

    `resume` entries name the interrupt. The older `forwardedProps.command.resume` names none: it answers the
    open one. A cancelled entry is an empty answer, for which CrewAI takes the method's default outcome.
    """
    for entry in input.resume or ():
        if entry.interrupt_id == interrupt_id(pending):
            return "" if entry.status == "cancelled" else _text(entry.payload)
    if input.resume:
        return None
    answer = _command(input).get("resume")
    return None if answer is None else _text(answer)


def has_answer(input: RunAgentInput) -> bool:
    """Whether a request carries an answer, whether or not there is a question."""
    return bool(input.resume) or _command(input).get("resume") is not None


def _command(input: RunAgentInput) -> Mapping[str, Any]:
    props = input.forwarded_props
    command = props.get("command") if isinstance(props, Mapping) else None
    return command if isinstance(command, Mapping) else {}


def _text(answer: Any) -> str:
    return "" if answer is None else as_text(answer)
