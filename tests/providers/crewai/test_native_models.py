"""CrewAI's own OpenAI client, against a server that speaks like OpenAI's."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import MARKS, request, tool, user

pytestmark = MARKS

PAINT = tool("setBackgroundColor", color={"type": "string"})


class OpenAI(ThreadingHTTPServer):
    """Calls the first tool that it is offered, and says what it answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def answer(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(body)
        if body["messages"][-1]["role"] == "tool":
            return [{"role": "assistant", "content": "It "}, {"content": "is green."}]
        function = {"name": body["tools"][0]["function"]["name"], "arguments": ""}
        call = {"index": 0, "id": "c1", "type": "function", "function": function}
        pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"color":', '"green"}')]
        return [{"role": "assistant", "tool_calls": [call]}, *({"tool_calls": [piece]} for piece in pieces)]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta in server.answer(body):
            chunk = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def openai() -> Iterator[OpenAI]:
    with OpenAI() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_native_model_streams_and_calls_the_frontends_tools_by_their_names(openai: OpenAI) -> None:
    model = LLM(model="openai/gpt-4o", api_key="none", base_url=openai.url, stream=True)

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages, tools=self.state.copilotkit["actions"])
            content = (
                {"content": answer} if isinstance(answer, str) else {"content": "", "tool_calls": answer}
            )
            self.state.messages.append({"role": "assistant", **content})

    provider = CrewAIProvider(Chat)
    asked = await collect(provider, request(user("green!"), tools=[PAINT]))
    result = {"id": "r1", "role": "tool", "content": "painted", "toolCallId": "c1"}
    events = await collect(provider, request(*messages(asked), result, tools=[PAINT]))

    assert [(e["toolCallName"], e["toolCallId"]) for e in of_type(asked, "TOOL_CALL_START")] == [
        ("setBackgroundColor", "c1")
    ]
    assert [e["delta"] for e in of_type(asked, "TOOL_CALL_ARGS")] == ['{"color":', '"green"}']
    assert messages(asked)[-1]["toolCalls"][0]["function"] == {
        "name": "setBackgroundColor",
        "arguments": '{"color":"green"}',
    }
    assert [e["delta"] for e in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["It ", "is green."]
    assert [message["id"] for message in messages(events)[:3]] == [
        *(message["id"] for message in messages(asked)),
        "r1",
    ]


async def test_models_are_sent_no_message_ids(openai: OpenAI) -> None:
    model = LLM(model="openai/gpt-4o", api_key="none", base_url=openai.url, stream=True)

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            await model.acall(self.state.messages, tools=self.state.copilotkit["actions"])

    await collect(CrewAIProvider(Chat), request(user("green!"), tools=[PAINT]))

    assert openai.asked[0]["messages"] == [{"role": "user", "content": "green!"}]


async def test_the_models_of_a_crew_stream_without_being_told_to(openai: OpenAI) -> None:
    model = LLM(model="openai/gpt-4o", api_key="none", base_url=openai.url)
    agent = Agent(role="Painter", goal="Paint", backstory="You paint.", llm=model)
    task = Task(description="Do it", expected_output="art", agent=agent)

    events = await collect(
        CrewAIProvider(Crew(agents=[agent], tasks=[task])), request(user("green!"), tools=[PAINT])
    )

    assert [e["toolCallName"] for e in of_type(events, "TOOL_CALL_START")] == ["setBackgroundColor"]
    assert len(of_type(events, "TOOL_CALL_ARGS")) == 2
    assert text_of(events) == ""
    assert (openai.asked[0]["stream"], model.stream) == (True, False)
