"""Properties of the merged history, over arbitrary conversations."""

from itertools import takewhile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from copilotkit_runtime_py.providers.langgraph.history import continued, next_turn

CALLS = ["c1", "c2", "c3", "c4"]


def assistant(id: str, calls: list[str]) -> AIMessage:
    return AIMessage("", id=id, tool_calls=[{"id": call, "name": "f", "args": {}} for call in calls])


@st.composite
def conversations(draw: st.DrawFn) -> list[BaseMessage]:
    """Draws messages with unique ids; each call is made at most once, results may be missing or misplaced."""
    free = list(CALLS)
    messages: list[BaseMessage] = []
    for index in range(draw(st.integers(0, 8))):
        match draw(st.sampled_from(["user", "assistant", "tool"])):
            case "user":
                messages.append(HumanMessage("hi", id=f"u{index}"))
            case "assistant":
                calls = free[: draw(st.integers(0, min(2, len(free))))]
                free = free[len(calls) :]
                messages.append(assistant(f"a{index}", calls))
            case _:
                call = draw(st.sampled_from(CALLS))
                messages.append(ToolMessage("ok", id=f"t{index}", tool_call_id=call))
    return messages


def results_after(messages: list[BaseMessage], index: int) -> list[str]:
    following = takewhile(lambda message: isinstance(message, ToolMessage), messages[index + 1 :])
    return [message.tool_call_id for message in following if isinstance(message, ToolMessage)]


@given(conversations())
def test_every_message_is_followed_by_the_results_of_its_calls_in_their_order(
    sent: list[BaseMessage],
) -> None:
    whole = continued([], sent)

    others: list[Any] = [(i, m) for i, m in enumerate(whole) if not isinstance(m, ToolMessage)]
    for index, message in others:
        calls = [call["id"] for call in getattr(message, "tool_calls", [])]
        open_end = (index, message) == others[-1] and not results_after(whole, index)
        assert open_end or results_after(whole, index) == calls


@given(conversations())
def test_nothing_but_results_is_added_or_lost(sent: list[BaseMessage]) -> None:
    whole = continued([], sent)

    assert [m for m in whole if not isinstance(m, ToolMessage)] == [
        m for m in sent if not isinstance(m, ToolMessage)
    ]


@given(conversations())
def test_a_completed_conversation_is_complete(sent: list[BaseMessage]) -> None:
    whole = continued([], sent)

    assert continued([], whole) == whole


@given(conversations(), st.data())
def test_a_client_that_sends_back_what_it_knows_adds_only_its_new_message(
    sent: list[BaseMessage], data: st.DataObject
) -> None:
    remembered = continued([], sent)
    start = data.draw(st.integers(0, len(remembered)))
    new = HumanMessage("and?", id="new")

    assert next_turn([*remembered[start:], new], remembered).messages == [new]
