"""The answers to a thread's open interrupts, in the one form that agents and server tools read."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

from ..agui.events import as_text, interrupt_text, is_approval, is_asked, is_graph_interrupt, shown_approval
from ..agui.json_input import parse_json
from ..agui.message_ids import ids_of
from ..agui.run_input import RunInput
from ..state_store.base import AgentState
from .request import RunRequest

Json: TypeAlias = dict[str, Any]


def with_answers(request: RunRequest, known: AgentState | None) -> RunRequest:
    """Returns a request in which each answer names its interrupt.

    Clients before AG-UI 1.0 answer with `forwardedProps.command.resume`, which names none. And newer pages of
    CopilotKit add the answer to an interrupt about a tool call as the result of the call. That is left out:
    the server or the agent has the result to give.

    An answer about a call does not go back behind the call or its result: a client that sends less, because
    it sends what is new only, or sends an old request again, gets the rest of the conversation added.

    Args:
        request: the request.
        known: what the agent's last run left on the thread, if there was one.
    """
    known = known or AgentState(state=None, messages=[])
    input = _addressed(request.input, [each for each in known.interrupts if is_asked(each)])
    input = _whole(input, known.messages)
    waiting = {each.get("toolCallId") for each in known.interrupts if each.get("reason") == "tool_call"} - {
        None
    }
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
    question is the answer to that one, any other the answer to the question that was announced last. What
    shows the question for an approval approves nothing else, also where that one is not open any more.
    """
    properties = input.json.get("forwardedProps")
    if not isinstance(properties, dict) or input.json.get("resume"):
        return input
    command = properties.get("command")
    if not isinstance(command, dict) or "resume" not in command:
        return input
    shown = command.get("interruptEvent")
    id = shown_approval(_parsed(shown))
    if id is None:
        if shown is not None:
            interrupts = [each for each in interrupts if not is_approval(each)]
        if not interrupts:
            return input
        answered = interrupts[-1]
        if shown is not None:
            answered = next((each for each in interrupts if as_text(shown) == interrupt_text(each)), answered)
        if is_graph_interrupt(answered):
            return input
        id = answered["id"]
    entry: Json = {"interruptId": id, "status": "resolved"}
    if (payload := _parsed(command["resume"])) is not None:
        entry["payload"] = payload
    properties = {name: value for name, value in properties.items() if name != "command"}
    return input.replace(resume=[entry], forwardedProps=properties)


def _whole(input: RunInput, recorded: Sequence[Json]) -> RunInput:
    """Returns an input with the recorded messages that its answers refer to, and those around them."""
    answered = {entry["interruptId"] for entry in input.json.get("resume") or ()}
    if not answered or not _about(recorded, answered) - ids_of(input.messages):
        return input
    ids = ids_of(recorded)
    return input.replace(messages=[*recorded, *(each for each in input.messages if each["id"] not in ids)])


def _about(messages: Sequence[Json], calls: Collection[str]) -> set[str]:
    """Returns the ids of the messages with calls, and with their results."""
    return {
        message["id"]
        for message in messages
        if message.get("toolCallId") in calls
        or any(call["id"] in calls for call in message.get("toolCalls") or ())
    }


def _parsed(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return parse_json(answer)
    except ValueError:
        return answer
