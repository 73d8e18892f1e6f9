"""Conversations so long that reading one would hold up the event loop."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.run_input import RunInput
from tests.attacks.graphql import RUN, answer, ask, data
from tests.protocols.agui.served import Event, run_body, serve

pytestmark = pytest.mark.anyio


async def counter(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m1")
    yield events.text_content("m1", f"{len(input.messages)} read")


@pytest.mark.parametrize(("length", "in_loop"), [(1, True), (1_000, False)])
@pytest.mark.parametrize("graphql", [False, True])
async def test_a_long_conversation_is_validated_in_a_thread(
    length: int, in_loop: bool, graphql: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    parse = RunInput.parse

    def spy(json: Any) -> Any:
        threads.append(threading.current_thread())
        return parse(json)

    monkeypatch.setattr(RunInput, "parse", spy)
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    said = [{"id": f"u{n}", "role": "user", "content": "hi"} for n in range(length)]
    text = {"content": "hi", "role": "user"}
    messages = [{"id": f"u{n}", **created, "textMessage": text} for n in range(length)]
    async with serve({"a": counter}) as served:
        if graphql:
            _, told = await answer(ask(served, RUN, {"data": {**data(), "messages": messages}}))
            assert told["data"]["generateCopilotResponse"]["messages"] == [{"content": [f"{length} read"]}]
        else:
            told = await served.events(served.agent("run", "a", run_body(messages=said)))
            assert f"{length} read" in [event.get("delta") for event in told]
    assert [thread is threading.current_thread() for thread in threads] == [in_loop]
