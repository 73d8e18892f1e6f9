"""What readers are told of a conversation that an agent got in another form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.runs.prepare import restore_client_messages

pytestmark = pytest.mark.anyio


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "u1", "role": "user", "content": list(parts)}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


SENT = {"type": "binary", "mimeType": "image/png", "data": "aGk="}
GIVEN = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
REWRITTEN = {"type": "image", "source": {"type": "url", "value": "data:image/png;base64,aGk="}}


@pytest.mark.parametrize(
    ("from_agent", "told"),
    [
        (user(words("Look:"), GIVEN), user(words("Look:"), SENT)),
        (user(words("Look:"), REWRITTEN), user(words("Look:"), SENT)),
        (user(words("[removed]"), GIVEN), user(words("[removed]"), GIVEN)),
        (user(words("Look:")), user(words("Look:"))),
    ],
)
async def test_a_snapshot_has_a_message_as_it_was_sent_unless_the_agent_made_it_say_something_else(
    from_agent: dict[str, Any], told: dict[str, Any]
) -> None:
    answer = {"id": "a1", "role": "assistant", "content": "nice"}

    async def run() -> AsyncIterator[Event]:
        yield events.messages_snapshot([from_agent, answer])

    stream = restore_client_messages(run(), [user(words("Look:"), GIVEN)], [user(words("Look:"), SENT)])
    assert [event async for event in stream] == [events.messages_snapshot([told, answer])]
