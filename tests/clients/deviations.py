"""Where this server does better than the recorded answers of the reference runtime, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from tests.clients.golden import Outcome, failed

Change: TypeAlias = Callable[[Outcome], None]
"""Turns the recorded outcome into ours, or a part of it."""


class Deviation(NamedTuple):
    """A case where our outcome is another one.

    Attributes:
        reason: why that is better.
        changes: what is different.
    """

    reason: str
    changes: tuple[Change, ...]


def messages(outcome: Outcome) -> list[dict[str, Any]]:
    return [*outcome.response["messages"], *outcome.messages]


def fails(description: str) -> Change:
    """The run fails, and the client is told why."""

    def change(outcome: Outcome) -> None:
        outcome.response["status"] = failed(description)

    return change


def succeeds(outcome: Outcome) -> None:
    """The run succeeds, and every message with it."""
    outcome.response["status"] = {"code": "Success", "__typename": "SuccessResponseStatus"}
    for message in messages(outcome):
        message["status"] = {"code": "Success", "__typename": "SuccessMessageStatus"}


def message_is_cut(outcome: Outcome) -> None:
    """The open message is marked as failed."""
    for message in messages(outcome):
        message["status"] = {
            "code": "Failed",
            "reason": "Error streaming message content",
            "__typename": "FailedMessageStatus",
        }


def says(content: Any) -> Change:
    """The message has another content."""

    def change(outcome: Outcome) -> None:
        for message in messages(outcome):
            message["content"] = content

    return change


def says_nothing(outcome: Outcome) -> None:
    """There is no message."""
    outcome.response["messages"] = []
    outcome.messages = []


def echoes(**told: Any) -> Change:
    """The agent echoes another input."""

    def change(outcome: Outcome) -> None:
        for message in messages(outcome):
            message["content"].update(told)

    return change


def gets_messages(change_messages: Callable[[list[dict[str, Any]]], None]) -> Change:
    """The agent gets other messages."""

    def change(outcome: Outcome) -> None:
        assert outcome.input is not None
        change_messages(outcome.input["messages"])

    return change


def gets_property(name: str, value: Any) -> Change:
    """The agent gets another property."""

    def change(outcome: Outcome) -> None:
        assert outcome.input is not None
        outcome.input["forwardedProps"][name] = value
        for message in messages(outcome):
            message["content"]["fp"][name] = value

    return change


def keeps_status(status_code: int) -> Change:
    """The client is told the HTTP status with which the agent answered."""

    def change(outcome: Outcome) -> None:
        original = outcome.response["status"]["details"]["originalError"]
        original["statusCode"] = original["extensions"]["statusCode"] = status_code

    return change


def has_code(code: str, status_code: int) -> Change:
    """The client is told the error's own code, and the status that fits it."""

    def change(outcome: Outcome) -> None:
        keeps_status(status_code)(outcome)
        outcome.response["status"]["details"]["originalError"]["extensions"]["code"] = code

    return change


def explains(text: str) -> Change:
    """The client shows this text of the error."""

    def change(outcome: Outcome) -> None:
        outcome.errors = [f"[GraphQL] {text}"]

    return change


def shows_copilotkit_interrupt(outcome: Outcome) -> None:
    """The client gets the interrupt."""
    data = {"messages": [], "value": "q", "__typename": "CopilotKitLangGraphInterruptEventData"}
    event = {"type": "MetaEvent", "name": "CopilotKitLangGraphInterruptEvent", "data": data}
    outcome.response["metaEvents"] = [{**event, "__typename": "CopilotKitLangGraphInterruptEvent"}]


def sends_only_states_that_are_objects_or_lists(outcome: Outcome) -> None:
    first, _, _, text, last = outcome.response["messages"]
    outcome.response["messages"] = [first, text, last]
    for message in (last, outcome.messages[0]):
        message["state"] = [1, 2, 3]


IMAGE = {
    "id": "i1",
    "role": "user",
    "content": [
        {"type": "image", "source": {"type": "data", "value": "aGVsbG8=", "mimeType": "image/png"}},
    ],
}
CALL = {
    "id": "tc1",
    "role": "assistant",
    "toolCalls": [{"id": "tc1", "type": "function", "function": {"name": "f", "arguments": "{oops"}}],
}
NO_END = "Run ended without emitting a terminal event"

DEVIATIONS = {
    "agent_bad_arguments_json": Deviation(
        "a tool call whose arguments are no JSON reaches the agent, which asked for it, as it was",
        (gets_messages(lambda given: given.append(CALL)), echoes(n=2)),
    ),
    "agent_bad_event_type": Deviation(
        "an event of an unknown type, perhaps of a later AG-UI, is passed over", (succeeds,)
    ),
    "agent_bad_sse_json": Deviation(
        "the error says whose fault it is", (fails("The agent sent an event that is not valid JSON"),)
    ),
    "agent_bad_tool_schema": Deviation(
        "the error names the action",
        (explains("The jsonSchema of action 'setColor' must be a JSON object."),),
    ),
    "agent_echo_everything": Deviation(
        "an image reaches the agent",
        (gets_messages(lambda given: given.insert(len(given) - 1, IMAGE)), echoes(n=8)),
    ),
    "agent_empty_delta": Deviation("an empty delta is passed over", (succeeds, says("x"))),
    "agent_http_200_empty": Deviation("a run without an end is no success", (fails(NO_END),)),
    "agent_http_200_json": Deviation("an answer that is no event stream is no success", (fails(NO_END),)),
    "agent_http_404": Deviation("the agent's HTTP status is not lost", (keeps_status(404),)),
    "agent_image_message": Deviation(
        "an image reaches the agent", (gets_messages(lambda given: given.append(IMAGE)), echoes(n=1))
    ),
    "agent_interrupt_copilotkit": Deviation(
        "the interrupt that shows messages reaches the client", (shows_copilotkit_interrupt,)
    ),
    "agent_interrupt_copilotkit_named": Deviation(
        "the interrupt that shows messages reaches the client", (shows_copilotkit_interrupt,)
    ),
    "agent_no_message_end": Deviation(
        "a run without an end is no success, nor is its open message", (fails(NO_END), message_is_cut)
    ),
    "agent_properties_server_and_client": Deviation(
        "a frontend cannot overwrite a property that the server sets", (gets_property("both", "server"),)
    ),
    "agent_state_non_object": Deviation(
        "a list stays a list, and a snapshot that is no state does not send the old one again",
        (sends_only_states_that_are_objects_or_lists,),
    ),
}

DIRECT_DEVIATIONS = {
    "direct_error_mid": Deviation(
        "the error has an id that the server's log knows",
        (fails("An internal error occurred (error id …)."),),
    ),
    "direct_error_openai401": Deviation(
        "the user is told whose credentials they are, and not to check them",
        (
            fails("The model's vendor does not accept the server's credentials."),
            has_code("MODEL_AUTHENTICATION", 502),
        ),
    ),
    "direct_parameters": Deviation(
        "the call is wanted of a tool that the request does not have, which vendors refuse",
        (
            says_nothing,
            fails("The request wants a call of 'setColor', which is none of its tools."),
            has_code("BAD_REQUEST", 400),
        ),
    ),
}
"""The same where a plain chat model answers."""
