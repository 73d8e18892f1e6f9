"""The answers to a thread's open interrupts, in the one form that agents and server tools read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

from ..agui.events import as_text, interrupt_text, is_approval, is_graph_interrupt
from ..agui.json_input import parse_json
from ..agui.run_input import RunInput
from ..state_store.base import AgentState
from .request import RunRequest

Json: TypeAlias = dict[str, Any]


def with_answers(request: RunRequest, known: AgentState | None) -> RunRequest:
    """Returns a request whose answers name the interrupts that they answer.

    Clients before AG-UI 1.0 answer with `forwardedProps.command.resume`, which names none. And the pages of
    CopilotKit from 1.70 on add the answer to an interrupt about a tool call as the result of the call: where
    the server has the result to give, that is left out.

    Args:
        request: the request.
        known: what the agent's last run left on the thread, if there was one.
    """
    if known is None or not known.interrupts:
        return request
    input = _addressed(request.input, known.interrupts)
    waiting = {each["toolCallId"] for each in known.interrupts if is_approval(each)}
    messages = [each for each in input.messages if each.get("toolCallId") not in waiting]
    replaces = len(messages) < len(input.messages)
    if replaces:
        input = input.replace(messages=messages)
    return request if input is request.input else _replaced(request, input, replaces)


def _replaced(request: RunRequest, input: RunInput, replaces: bool) -> RunRequest:
    return dataclasses.replace(request, input=input, replaces_results=replaces)


def _addressed(input: RunInput, interrupts: Sequence[Json]) -> RunInput:
    """Returns an input with `resume` in place of an older answer.

    A LangGraph graph's interrupts are left alone: its provider reads both forms. An answer that shows the
    question is the answer to that one, any other the answer to the question that was announced last.
    """
    properties = input.json.get("forwardedProps")
    if not isinstance(properties, dict) or input.json.get("resume"):
        return input
    command = properties.get("command")
    if not isinstance(command, dict) or "resume" not in command:
        return input
    shown = command.get("interruptEvent")
    answered = interrupts[-1]
    if shown is not None:
        answered = next((each for each in interrupts if as_text(shown) == interrupt_text(each)), answered)
    if is_graph_interrupt(answered):
        return input
    entry: Json = {"interruptId": answered["id"], "status": "resolved"}
    if (payload := _parsed(command["resume"])) is not None:
        entry["payload"] = payload
    properties = {name: value for name, value in properties.items() if name != "command"}
    return input.replace(resume=[entry], forwardedProps=properties)


def _parsed(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return parse_json(answer)
    except ValueError:
        return answer
