"""Inputs with many messages or parts, which are validated in several steps."""

from __future__ import annotations

from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from pydantic import ValidationError

from copilotkit_runtime_py.agui.input_checks import check_input
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.errors import InvalidRequestError
from copilotkit_runtime_py.limits import Limits

pytestmark = pytest.mark.anyio


def body(*messages: dict[str, Any]) -> dict[str, Any]:
    ids = {"threadId": "t1", "runId": "r1"}
    return {**ids, "messages": [*messages], "tools": [], "context": [], "state": {}, "forwardedProps": {}}


def message(number: int, parts: int) -> dict[str, Any]:
    content = [{"type": "text", "text": str(part)} for part in range(parts)]
    return {"id": f"u{number}", "role": "user", "content": content}


@pytest.mark.parametrize(("messages", "parts"), [(1, 3), (1, 500), (500, 1), (20, 30)])
def test_a_long_input_has_the_model_that_a_short_one_has(messages: int, parts: int) -> None:
    json = body(*(message(number, parts) for number in range(messages)))
    assert RunInput.parse(json).model == RunAgentInput.model_validate(json)


@pytest.mark.parametrize("wrong", [{"id": "x", "role": "user"}, {"id": "x", "role": "nobody"}, "x"])
def test_the_errors_of_a_long_input_say_where_they_are(wrong: Any) -> None:
    json = body(*(message(number, 1) for number in range(300)))
    json["messages"][250] = wrong
    with pytest.raises(ValidationError) as caught:
        RunInput.parse(json)
    assert caught.value.errors()[0]["loc"][:2] == ("messages", 250)


async def test_a_message_of_too_many_parts_is_refused() -> None:
    await check_input(body(message(1, 1_000)), Limits())
    with pytest.raises(InvalidRequestError, match="Expected 1000 parts at most"):
        await check_input(body(message(1, 1_001)), Limits())
