from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import (
    CopilotKitState,
    CrewAIProvider,
    frontend_tools,
    request_context,
)
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import MARKS, ScriptedLLM, calling, in_turn, request, says, tool, user

pytestmark = MARKS

PAINT = tool("setBackgroundColor", color={"type": "string", "enum": ["red", "green"]})


def chat(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    """Returns a flow that offers the frontend's tools to a model and keeps what it answers."""

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages, tools=self.state.copilotkit["actions"])
            content = (
                {"content": answer} if isinstance(answer, str) else {"content": "", "tool_calls": answer}
            )
            self.state.messages.append({"role": "assistant", **content})

    return Chat


def painter(model: ScriptedLLM, **fields: Any) -> Agent:
    return Agent(role="Painter", goal="Paint", backstory="You paint.", llm=model, **fields)


def result(call: str, content: str) -> dict[str, Any]:
    return {"id": f"{call}-r", "role": "tool", "content": content, "toolCallId": call}


async def test_a_flow_finds_the_frontends_tools_in_openais_format_and_the_context_beside_them() -> None:
    model = says("ok")
    seen: list[Any] = []

    class Looks(Flow[CopilotKitState]):
        @start()
        async def look(self) -> None:
            seen.append(self.state.copilotkit)

    await collect(
        CrewAIProvider(Looks), request(tools=[PAINT], context=[{"description": "page", "value": "home"}])
    )

    assert model.calls == []
    assert seen == [
        {
            "actions": [{"type": "function", "function": PAINT}],
            "context": [{"description": "page", "value": "home"}],
        }
    ]


async def test_a_flow_calls_a_tool_of_the_frontend_and_goes_on_with_its_result() -> None:
    model = in_turn([calling("c1", "setBackgroundColor", '{"color":', '"green"}')], ["It is green."])
    provider = CrewAIProvider(chat(model))

    asked = await collect(provider, request(user("green!"), tools=[PAINT]))
    events = await collect(provider, request(*messages(asked), result("c1", "painted"), tools=[PAINT]))

    call = messages(asked)[-1]
    assert [event["type"] for event in asked] == [
        "RUN_STARTED",
        "STEP_STARTED",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "STEP_FINISHED",
        "STATE_SNAPSHOT",
        "MESSAGES_SNAPSHOT",
        "RUN_FINISHED",
    ]
    assert of_type(asked, "TOOL_CALL_START")[0]["parentMessageId"] == call["id"]
    assert call["toolCalls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "setBackgroundColor", "arguments": '{"color":"green"}'},
        }
    ]
    assert text_of(events) == "It is green."
    assert [message["role"] for message in model.calls[-1]] == ["user", "assistant", "tool"]
    assert of_type(events, "TOOL_CALL_START", "TOOL_CALL_RESULT") == []


async def test_an_agent_in_a_flow_hands_a_call_over_to_the_frontend() -> None:
    model = in_turn([calling("c1", "set_background_color", '{"color": "green"}')])
    reached: list[str] = []

    class Paints(Flow[CopilotKitState]):
        @start()
        async def paint(self) -> None:
            await painter(model, tools=frontend_tools()).kickoff_async("Make it green")
            reached.append("the end")

    events = await collect(CrewAIProvider(Paints), request(user("green!"), tools=[PAINT]))

    assert reached == []
    assert [event["toolCallName"] for event in of_type(events, "TOOL_CALL_START")] == ["setBackgroundColor"]
    assert of_type(events, "TOOL_CALL_RESULT") == []
    assert messages(events)[-1]["toolCalls"][0]["function"] == {
        "name": "setBackgroundColor",
        "arguments": '{"color": "green"}',
    }
    assert events[-1]["type"] == "RUN_FINISHED"
    (offered,) = model.tools[0]
    assert offered["function"]["parameters"]["properties"] == PAINT["parameters"]["properties"]


async def test_a_crew_uses_the_frontends_tools_and_hears_the_results() -> None:
    model = in_turn([calling("c1", "set_background_color", '{"color": "green"}')], ["Done, it is green."])
    agent = painter(model)
    task = Task(description="Do what the user wants", expected_output="a report", agent=agent)
    provider = CrewAIProvider(Crew(agents=[agent], tasks=[task]))

    asked = await collect(provider, request(user("green!"), tools=[PAINT]))
    events = await collect(provider, request(*messages(asked), result("c1", "painted"), tools=[PAINT]))

    assert [event["toolCallName"] for event in of_type(asked, "TOOL_CALL_START")] == ["setBackgroundColor"]
    assert asked[-1]["type"] == "RUN_FINISHED"
    assert text_of(events) == "Done, it is green."
    prompt = str(model.calls[-1])
    assert "User: green!" in prompt
    assert "setBackgroundColor with " in prompt
    assert "Result of the tool: painted" in prompt


async def test_a_crew_that_is_not_told_all_it_needs_says_what_is_missing() -> None:
    agent = painter(says("ok"))
    task = Task(description="Paint {thing} for {user_message}", expected_output="art", agent=agent)
    provider = CrewAIProvider(Crew(agents=[agent], tasks=[task]))

    with pytest.raises(Exception, match="needs to know: thing") as failure:
        await collect(provider, request(user("me")))
    await collect(provider, request(user("me"), state={"thing": "a house"}))

    assert type(failure.value).__name__ == "AgentError"


async def test_a_method_can_ask_who_the_request_is_from() -> None:
    seen: list[Any] = []

    class Asks(Flow[CopilotKitState]):
        @start()
        def look(self) -> None:
            seen.append((request_context().owner, request_context().properties))

    context = RequestContext(owner="ada", properties={"token": "t"})
    await collect(CrewAIProvider(Asks), request(), context)

    assert seen == [("ada", {"token": "t"})]
