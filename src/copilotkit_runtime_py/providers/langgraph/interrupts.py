"""Interrupts: what a graph asks, and the answers to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ag_ui.core import ResumeEntry, RunAgentInput
from langgraph.types import Interrupt, StateSnapshot

from ...agui.events import as_text
from ...agui.json_input import parse_json
from .config import forwarded_props
from .state import to_json

CANCELLED = "__agui_cancelled__"
"""The key that marks an abandoned interrupt in the value that `interrupt()` returns, as upstream names it."""


def to_agui_interrupt(interrupt: Interrupt) -> dict[str, Any]:
    """Returns a LangGraph interrupt as an AG-UI 1.0 `Interrupt` in JSON form.

    A mapping's `reason`, `message`, `tool_call_id`, `response_schema` and `expires_at` (also in camelCase)
    fill the fields of these names. The whole value is in `metadata.langgraph.raw`, where upstream puts it.
    """
    value = to_json(interrupt.value)
    asked = value if isinstance(value, dict) else {}
    schema = getattr(interrupt, "response_schema", None)  # since langgraph 1.2
    fields = {
        "message": value if isinstance(value, str) else asked.get("message"),
        "toolCallId": asked.get("toolCallId", asked.get("tool_call_id")),
        "responseSchema": schema if isinstance(schema, dict) else _response_schema(asked),
        "expiresAt": asked.get("expiresAt", asked.get("expires_at")),
    }
    reason = asked.get("reason")
    return {
        "id": interrupt.id,
        "reason": reason if isinstance(reason, str) else "langgraph:interrupt",
        **{name: field for name, field in fields.items() if isinstance(field, str | dict)},
        "metadata": {"langgraph": {"raw": value}},
    }


def _response_schema(asked: Mapping[str, Any]) -> Any:
    return asked.get("responseSchema", asked.get("response_schema"))


def announcement(interrupt: Interrupt) -> str:
    """Returns the value of an `on_interrupt` event: text as it is, anything else as JSON text.

    Clients of the GraphQL contract reject a value that is not a string.
    """
    return as_text(to_json(interrupt.value))


def answers(input: RunAgentInput, pending: Iterable[Interrupt]) -> dict[str, Any]:
    """Returns the answers that a request carries to the pending interrupts, by interrupt id.

    `resume` entries name their interrupt; entries for one that is not pending are ignored. The older
    `forwardedProps.command.resume` names none: it answers the interrupt that was announced last, which is
    the one that frontends of that generation show, unless it is an object whose keys are interrupt ids. As
    these frontends send every answer as text, text that is JSON is parsed, as upstream does. A `resume` that
    is null answers with None.
    """
    ids = [interrupt.id for interrupt in pending]
    if input.resume:
        return {entry.interrupt_id: _payload(entry) for entry in input.resume if entry.interrupt_id in ids}
    command = forwarded_props(input).get("command")
    if not ids or not isinstance(command, Mapping) or "resume" not in command:
        return {}
    answer = _parsed(command["resume"])
    if isinstance(answer, dict) and answer and answer.keys() <= set(ids):
        return answer
    return {ids[-1]: answer}


def has_answer(input: RunAgentInput) -> bool:
    """Whether a request carries an answer to an interrupt, pending or not."""
    command = forwarded_props(input).get("command")
    return bool(input.resume) or (isinstance(command, Mapping) and command.get("resume") is not None)


def cancels(input: RunAgentInput) -> bool:
    """Whether a request answers no interrupt and gives up some."""
    entries = input.resume or []
    return bool(entries) and all(entry.status == "cancelled" for entry in entries)


def breakpoint_interrupt(memory: StateSnapshot) -> Interrupt:
    """Returns the interrupt that announces a breakpoint. Whatever answers it, the graph goes on."""
    names = ", ".join(memory.next)
    asked = {
        "reason": "langgraph:breakpoint",
        "message": f"Paused before {names}.",
        "next": list(memory.next),
    }
    return Interrupt(asked, id=memory.config["configurable"]["checkpoint_id"])


def _payload(entry: ResumeEntry) -> Any:
    if entry.status == "cancelled":
        return {CANCELLED: True, "interrupt_id": entry.interrupt_id}
    return entry.payload


def _parsed(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return parse_json(answer)
    except ValueError:
        return answer
