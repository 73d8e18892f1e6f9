"""Where the frameworks differ, as the table in docs/crewai.md has it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.parity.conftest import Open
from tests.providers.parity.script import Framework

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.parametrize("open_chat", ["agui"], indirect=True),
]


def on(langgraph: Any, crewai: Any) -> pytest.MarkDecorator:
    """Says what is expected of each framework."""
    return pytest.mark.parametrize(
        ("framework", "expected"),
        [("langgraph", langgraph), ("crewai", crewai)],
        indirect=["framework"],
        ids=["langgraph", "crewai"],
    )


@on(langgraph=["a", "a | a | b"], crewai=["a", "b"])
async def test_a_client_that_sends_only_what_is_new(
    framework: Framework, open_chat: Open, expected: Any
) -> None:
    chat = open_chat(framework.chat(lambda texts: [" | ".join(texts)]))

    texts = []
    for id, text in enumerate(("a", "b")):
        chat.conversation = [{"id": f"new-{id}", "role": "user", "content": text}]
        texts += (await chat.run()).texts

    assert texts == expected


@on(langgraph=["milk", "eggs"], crewai=["milk", "bread", "eggs"])
async def test_the_state_after_an_earlier_message_was_edited(
    framework: Framework, open_chat: Open, expected: Any
) -> None:
    chat = open_chat(framework.shopping())
    await chat.say("milk")
    await chat.say("bread")

    chat.conversation = [*chat.conversation[:2], {**chat.conversation[2], "content": "eggs"}]
    answer = await chat.run()

    assert answer.state == {"items": expected}


@on(langgraph="You said {'seats': 2}", crewai='You said {"seats":2}')
async def test_an_answer_that_is_an_object(framework: Framework, open_chat: Open, expected: Any) -> None:
    chat = open_chat(framework.booking())
    await chat.say("a table, please")

    answer = await chat.run(answer={"seats": 2})

    assert answer.texts == [expected]
