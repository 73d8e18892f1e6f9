"""Messages of a frontend in LangChain's form."""

from __future__ import annotations

from typing import Any

import pytest
from ag_ui.core import AssistantMessage, FunctionCall, ToolCall
from langchain_core.messages import AIMessage

from copilotkit_runtime_py.providers.langchain.messages import to_langchain


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        (r'{"q": "cut \ud83d"}', {"q": "cut \ufffd"}),
        ("", {}),
        ("[1]", {}),
        ("{oops", {}),
        ("[" * 100_000, {}),
    ],
)
def test_the_arguments_of_a_call_can_be_stored_whatever_they_are(arguments: str, args: Any) -> None:
    call = ToolCall(id="c1", function=FunctionCall(name="f", arguments=arguments))

    [message] = to_langchain([AssistantMessage(id="a1", tool_calls=[call])])

    assert isinstance(message, AIMessage)
    assert [called["args"] for called in message.tool_calls] == [args]
