"""Results that clients send as they come reach models in the order of their calls."""

from __future__ import annotations

from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.providers.langchain.messages import to_langchain

FUNCTION = {"name": "f", "arguments": "{}"}


def calling(*ids: str) -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": FUNCTION} for id in ids]
    return {"id": "".join(ids), "role": "assistant", "toolCalls": calls}


def result(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"r{id}", "role": "tool", "toolCallId": id, "content": id, **fields}


def sent(*messages: dict[str, Any]) -> Any:
    return RunAgentInput.model_validate({"threadId": "t", "runId": "r", "messages": messages}).messages


def test_the_results_of_parallel_calls_come_in_the_order_of_the_calls() -> None:
    messages = to_langchain(
        sent(
            calling("a", "b", "c"),
            *map(result, "cab"),
            {"id": "u", "role": "user", "content": "u"},
            calling("d", "e"),
            *map(result, "xed"),
        )
    )
    assert [message.text for message in messages if message.text] == list("abcuxde")


@pytest.mark.parametrize("content", ["", []])
def test_an_error_without_content_is_the_content(content: Any) -> None:
    (_, message) = to_langchain(sent(calling("a"), result("a", content=content, error="disk full")))
    assert (message.text, getattr(message, "status", None)) == ("disk full", "error")
