from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from copilotkit_runtime_py.demo import crew
from copilotkit_runtime_py.demo.crew import WELCOME, DemoFlow, ScriptedLLM
from copilotkit_runtime_py.providers.crewai import CrewAIProvider
from tests.providers.emitted import collect, interrupts, messages, of_type, snapshots, text_of

from .scripted import MARKS, request, tool, user

pytestmark = MARKS

PAINT = tool("setBackgroundColor", color={"type": "string"})


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "model", ScriptedLLM(model="scripted", delay=0))


async def test_a_greeting_is_answered_with_what_the_flow_can_do() -> None:
    events = await collect(CrewAIProvider(DemoFlow), request(user("hi")))

    assert text_of(events) == WELCOME
    assert len(of_type(events, "TEXT_MESSAGE_CONTENT")) > 30


async def test_the_weather_comes_from_a_tool_on_the_server() -> None:
    events = await collect(CrewAIProvider(DemoFlow), request(user("What is the weather in new york?")))

    assert [event["toolCallName"] for event in of_type(events, "TOOL_CALL_START")] == ["get_weather"]
    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == [text_of(events)]
    assert text_of(events) == "It is 21 °C and sunny in New York."
    assert [message["role"] for message in messages(events)] == ["user", "assistant", "tool", "assistant"]


async def test_the_list_is_state_that_the_page_shares() -> None:
    asked = request(user("please add two eggs to my list"), state={"items": ["bread from the page"]})

    events = await collect(CrewAIProvider(DemoFlow), asked)

    assert text_of(events) == "I have put two eggs on your list. It has 2 items now."
    assert snapshots(events)[-1] == {"items": ["bread from the page", "two eggs"], "people": 0}


async def test_the_page_is_painted_by_a_tool_of_the_page() -> None:
    provider = CrewAIProvider(DemoFlow)
    asked = await collect(provider, request(user("make the page green"), tools=[PAINT]))
    (call,) = messages(asked)[-1]["toolCalls"]
    result = {"id": "r1", "role": "tool", "content": "It is green.", "toolCallId": call["id"]}

    events = await collect(provider, request(*messages(asked), result, tools=[PAINT]))

    assert call["function"] == {"name": "setBackgroundColor", "arguments": '{"color": "green"}'}
    assert text_of(events) == "It is green."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("yes", "It is booked. Enjoy your meal!"), ("no", "All right, I have not booked anything.")],
)
async def test_a_booking_is_confirmed_first(answer: str, expected: str) -> None:
    provider = CrewAIProvider(DemoFlow)
    asked = await collect(provider, request(user("book a table for 4")))
    resume: dict[str, Any] = {"command": {"resume": answer}}

    events = await collect(provider, request(*messages(asked), forwardedProps=resume))

    assert text_of(asked) == "I have found a table for 4."
    assert interrupts(asked)[0]["message"] == "Shall I book it? (yes or no)"
    assert (text_of(events), interrupts(events)) == (expected, [])
