from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from langgraph.checkpoint.memory import InMemorySaver

import copilotkit_runtime_py.demo.agent as demo
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.demo.agent import builder, chat_model, graph
from copilotkit_runtime_py.demo.model import STORY, WELCOME, ScriptedChatModel
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

pytestmark = pytest.mark.anyio

PAINT = {
    "name": "setBackgroundColor",
    "description": "Sets the page's colour",
    "parameters": {"type": "object", "properties": {"color": {"type": "string"}}},
}


class Chat:
    """A client of the demo agent that keeps the conversation as frontends do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "model", ScriptedChatModel(delay=0))
        self._provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
        self.messages: list[dict[str, Any]] = []
        self.state: Any = {}
        self.events: list[Event] = []

    async def send(self, *messages: dict[str, Any], **fields: Any) -> str:
        """Sends messages and returns the text that comes back."""
        self.messages += messages
        body = {"threadId": "t", "runId": "r", "messages": self.messages, "state": self.state, **fields}
        context = RequestContext()
        input = RunAgentInput.model_validate(body)
        self.events = [event async for event in self._provider.run(input, context)]
        self.messages = self.find("MESSAGES_SNAPSHOT")[-1]["messages"]
        self.state = self.find("STATE_SNAPSHOT")[-1]["snapshot"]
        return "".join(event["delta"] for event in self.find("TEXT_MESSAGE_CONTENT"))

    async def say(self, text: str, **fields: Any) -> str:
        message = {"id": f"u{len(self.messages)}", "role": "user", "content": text}
        return await self.send(message, **fields)

    def find(self, type: str) -> list[Event]:
        return [event for event in self.events if event["type"] == type]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Chat:
    return Chat(monkeypatch)


async def test_a_greeting_is_answered_with_what_the_agent_can_do(client: Chat) -> None:
    assert await client.say("hi") == WELCOME
    assert len(client.find("TEXT_MESSAGE_CONTENT")) > 40


async def test_the_weather_comes_from_a_tool_on_the_server(client: Chat) -> None:
    answer = await client.say("What is the weather in new york?")

    assert [event["toolCallName"] for event in client.find("TOOL_CALL_START")] == ["get_weather"]
    assert [event["content"] for event in client.find("TOOL_CALL_RESULT")] == [answer]
    assert answer == "It is 21 °C and sunny in New York."


async def test_the_list_is_state_that_the_page_shares(client: Chat) -> None:
    await client.say("add milk to my list")
    client.state = {"items": ["milk", "bread from the page"]}

    answer = await client.say("please add two eggs to the shopping list")

    assert answer == "I have put two eggs on your list. It has 3 items now."
    assert client.state == {"items": ["milk", "bread from the page", "two eggs"]}


async def test_the_page_is_painted_by_a_tool_of_the_page(client: Chat) -> None:
    await client.say("make the page green", tools=[PAINT])
    (call,) = client.messages[-1]["toolCalls"]

    answer = await client.send(
        {"id": "r1", "role": "tool", "content": "It is green.", "toolCallId": call["id"]}, tools=[PAINT]
    )

    assert call["function"] == {"name": "setBackgroundColor", "arguments": '{"color":"green"}'}
    assert answer == "Done. Your page answered: It is green."


async def test_a_page_without_the_tool_is_told_so(client: Chat) -> None:
    assert await client.say("make it blue!") == "Your page has given me no tool to change its colour."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("yes", "The table for 4 is booked. Enjoy your meal!"),
        ("no", "All right, I have not booked anything."),
    ],
)
async def test_a_booking_is_confirmed_first(client: Chat, answer: str, expected: str) -> None:
    assert await client.say("book a table for four") == ""
    (asked,) = client.find("CUSTOM")

    text = await client.send(forwardedProps={"command": {"resume": answer}})

    assert asked["value"] == "Shall I book a table for 4? (yes or no)"
    assert text == expected


async def test_the_story_is_long_enough_to_stop(client: Chat) -> None:
    assert await client.say("tell me a long story") == STORY
    assert len(client.find("TEXT_MESSAGE_CONTENT")) >= 60


def test_without_a_key_the_model_is_scripted_and_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    assert chat_model() == ScriptedChatModel(delay=0.03)
    assert graph.name == "demo"


def test_with_a_key_the_model_is_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")

    assert type(chat_model()).__name__ == "ChatOpenAI"
