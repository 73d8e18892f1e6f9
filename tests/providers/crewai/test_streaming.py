import asyncio
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.tools import tool as crew_tool

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider, emit
from tests.providers.emitted import collect, messages, of_type, snapshots, text_of

from .scripted import MARKS, ScriptedLLM, Thinking, calling, in_turn, request, says, user

pytestmark = MARKS


def chat(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    """Returns a flow that asks a model and keeps what it says."""

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    return Chat


def writer(model: ScriptedLLM, role: str = "Writer", **fields: Any) -> Agent:
    return Agent(role=role, goal="Write", backstory="You write.", llm=model, **fields)


def crew(*agents: Agent, description: str = "Answer {user_message}", **fields: Any) -> Crew:
    tasks = [Task(description=description, expected_output="an answer", agent=agent) for agent in agents]
    return Crew(agents=list(agents), tasks=tasks, **fields)


@crew_tool("get_weather")
def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"sunny in {city}"


async def test_a_flow_streams_its_models_text_and_ends_with_state_and_conversation() -> None:
    events = await collect(CrewAIProvider(chat(says("Hel", "lo"))), request(user("hi")))

    id = of_type(events, "TEXT_MESSAGE_START")[0]["messageId"]
    assert events == [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "STEP_STARTED", "stepName": "answer"},
        {"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": "Hel"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": "lo"},
        {"type": "TEXT_MESSAGE_END", "messageId": id},
        {"type": "STEP_FINISHED", "stepName": "answer"},
        {"type": "STATE_SNAPSHOT", "snapshot": {}},
        {
            "type": "MESSAGES_SNAPSHOT",
            "messages": [user("hi"), {"id": id, "role": "assistant", "content": "Hello"}],
        },
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


async def test_tokens_arrive_while_the_model_is_still_writing() -> None:
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    provider = CrewAIProvider(chat(says("first", wait, "second")))

    deltas = []
    async for event in provider.run(request(user("hi")), RequestContext()):
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            deltas.append(event["delta"])
            go_on.set()

    assert deltas == ["first", "second"]


async def test_a_model_that_does_not_stream_answers_in_one_piece() -> None:
    events = await collect(CrewAIProvider(chat(says("Hello", streams=False))), request(user("hi")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["Hello"]
    assert of_type(events, "TEXT_MESSAGE_START")[0]["messageId"] == messages(events)[-1]["id"]


async def test_the_same_answer_twice_is_two_messages() -> None:
    model = says("yes")

    class Twice(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            for _ in range(2):
                answer = await model.acall(self.state.messages)
                self.state.messages.append({"role": "assistant", "content": answer})

    events = await collect(CrewAIProvider(Twice), request(user("hi")))

    streamed = [event["messageId"] for event in of_type(events, "TEXT_MESSAGE_START")]
    assert [message["id"] for message in messages(events)] == ["u1", *streamed]
    assert len(set(streamed)) == 2


async def test_the_thoughts_of_a_thinking_model_are_reasoning() -> None:
    events = await collect(
        CrewAIProvider(chat(says(Thinking("Let me "), Thinking("see."), "Yes"))), request(user("hi"))
    )

    id = messages(events)[-1]["id"]
    assert [
        (event["type"], event["messageId"], event.get("delta"))
        for event in events
        if event["type"].startswith(("REASONING", "TEXT"))
    ] == [
        ("REASONING_START", f"{id}-reasoning", None),
        ("REASONING_MESSAGE_START", f"{id}-reasoning", None),
        ("REASONING_MESSAGE_CONTENT", f"{id}-reasoning", "Let me "),
        ("REASONING_MESSAGE_CONTENT", f"{id}-reasoning", "see."),
        ("REASONING_MESSAGE_END", f"{id}-reasoning", None),
        ("REASONING_END", f"{id}-reasoning", None),
        ("TEXT_MESSAGE_START", id, None),
        ("TEXT_MESSAGE_CONTENT", id, "Yes"),
        ("TEXT_MESSAGE_END", id, None),
    ]


async def test_a_message_that_a_flow_adds_by_itself_is_said() -> None:
    class Polite(Flow[CopilotKitState]):
        @start()
        def greet(self) -> None:
            self.state.messages.append({"role": "assistant", "content": "Good day!"})

    events = await collect(CrewAIProvider(Polite), request(user("hi")))

    assert text_of(events) == "Good day!"
    assert of_type(events, "TEXT_MESSAGE_START")[0]["messageId"] == messages(events)[-1]["id"]


async def test_a_flow_that_says_nothing_answers_with_what_it_returns() -> None:
    class Returns(Flow[dict[str, Any]]):
        @start()
        def answer(self) -> str:
            return "Forty-two"

    events = await collect(CrewAIProvider(Returns), request(user("hi")))

    assert text_of(events) == "Forty-two"


async def test_what_a_flow_that_speaks_returns_is_not_said() -> None:
    model = says("Hello")

    class Speaks(Flow[dict[str, Any]]):
        @start()
        async def answer(self) -> str:
            await model.acall("hi")
            return "done"

    events = await collect(CrewAIProvider(Speaks), request(user("hi")))

    assert text_of(events) == "Hello"


async def test_methods_are_steps_and_state_follows_each() -> None:
    class Steps(Flow[dict[str, Any]]):
        @start()
        def first(self) -> None:
            self.state["done"] = ["first"]

        @listen(first)
        async def second(self) -> None:
            self.state["done"] = [*self.state["done"], "second"]

    events = await collect(CrewAIProvider(Steps), request(state={"note": "mine"}))

    assert [
        event.get("stepName") or event.get("snapshot")
        for event in of_type(events, "STEP_STARTED", "STEP_FINISHED", "STATE_SNAPSHOT")
    ] == [
        "first",
        {"note": "mine", "done": ["first"]},
        "first",
        "second",
        {"note": "mine", "done": ["first", "second"]},
        "second",
        {"note": "mine", "done": ["first", "second"]},
    ]


async def test_a_crew_streams_its_agents_and_each_is_a_step() -> None:
    researcher = writer(says("Facts ", "found."), "Researcher")
    editor = writer(says("All ", "done."), "Editor")

    events = await collect(CrewAIProvider(crew(researcher, editor)), request(user("Go")))

    assert [event["stepName"] for event in of_type(events, "STEP_STARTED")] == ["Researcher", "Editor"]
    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == [
        "Facts ",
        "found.",
        "All ",
        "done.",
    ]
    streamed = [event["messageId"] for event in of_type(events, "TEXT_MESSAGE_START")]
    assert messages(events) == [
        user("Go"),
        {"id": streamed[0], "role": "assistant", "content": "Facts found."},
        {"id": streamed[1], "role": "assistant", "content": "All done."},
    ]


async def test_an_agents_tool_call_streams_and_has_one_result() -> None:
    model = in_turn([calling("c1", "get_weather", '{"city":', ' "Rome"}')], ["It is sunny."])

    events = await collect(CrewAIProvider(crew(writer(model, tools=[get_weather]))), request(user("Rome?")))

    parent = of_type(events, "TOOL_CALL_START")[0]["parentMessageId"]
    assert of_type(events, "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT") == [
        {
            "type": "TOOL_CALL_START",
            "toolCallId": "c1",
            "toolCallName": "get_weather",
            "parentMessageId": parent,
        },
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"city":'},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": ' "Rome"}'},
        {"type": "TOOL_CALL_END", "toolCallId": "c1"},
        {
            "type": "TOOL_CALL_RESULT",
            "messageId": "c1-result",
            "toolCallId": "c1",
            "content": "sunny in Rome",
            "role": "tool",
        },
    ]
    assert [message["role"] for message in messages(events)] == ["user", "assistant", "tool", "assistant"]
    assert messages(events)[1]["id"] == parent


async def test_a_tool_call_that_does_not_stream_comes_whole() -> None:
    model = in_turn([calling("c1", "get_weather", '{"city": "Rome"}')], ["It is sunny."], streams=False)

    events = await collect(CrewAIProvider(crew(writer(model, tools=[get_weather]))), request(user("Rome?")))

    assert [(e["toolCallId"], e["delta"]) for e in of_type(events, "TOOL_CALL_ARGS")] == [
        ("c1", '{"city": "Rome"}')
    ]
    assert [e["toolCallId"] for e in of_type(events, "TOOL_CALL_RESULT")] == ["c1"]


async def test_parallel_calls_of_one_tool_get_their_own_results() -> None:
    model = in_turn(
        [
            calling("c1", "get_weather", '{"city": "Rome"}'),
            calling("c2", "get_weather", '{"city": "Oslo"}'),
        ],
        ["Sunny."],
    )

    events = await collect(CrewAIProvider(crew(writer(model, tools=[get_weather]))), request(user("?")))

    results = {e["toolCallId"]: e["content"] for e in of_type(events, "TOOL_CALL_RESULT")}
    assert results == {"c1": "sunny in Rome", "c2": "sunny in Oslo"}


async def test_a_tool_that_a_flow_runs_itself_has_its_result_before_the_model_goes_on() -> None:
    model = in_turn([calling("c1", "add", "{}")], ["It is 3."])

    class Adds(Flow[CopilotKitState]):
        @start()
        async def add(self) -> None:
            calls = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": "", "tool_calls": calls})
            self.state.messages.append({"role": "tool", "tool_call_id": "c1", "content": "3"})
            answer = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    events = await collect(CrewAIProvider(Adds), request(user("1 + 2?")))

    shown = ("TOOL_CALL_END", "TOOL_CALL_RESULT", "TEXT_MESSAGE_START")
    assert [event["type"] for event in of_type(events, *shown)] == list(shown)
    assert messages(events)[2] == {
        "id": of_type(events, "TOOL_CALL_RESULT")[0]["messageId"],
        "role": "tool",
        "content": "3",
        "toolCallId": "c1",
    }


async def test_a_failing_tool_has_a_result_that_tells_no_detail() -> None:
    @crew_tool("explode")
    def explode() -> str:
        """Explode."""
        raise ValueError("the password is swordfish")

    model = in_turn([calling("c1", "explode", "{}")], ["Sorry."])

    events = await collect(CrewAIProvider(crew(writer(model, tools=[explode]))), request(user("?")))

    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["The tool failed."]
    assert "swordfish" not in str(events)


async def test_an_agent_that_writes_thoughts_and_actions_says_only_its_final_answer() -> None:
    model = in_turn(
        ["Thought: hm\n", "Action: get_weather\n", 'Action Input: {"city": "Rome"}'],
        ["Thought: I now know\nFinal ", "Answer: It is ", "sunny"],
        knows_tools=False,
    )

    events = await collect(CrewAIProvider(crew(writer(model, tools=[get_weather]))), request(user("Rome?")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["It is ", "sunny"]
    (call,) = of_type(events, "TOOL_CALL_START")
    assert call["toolCallName"] == "get_weather"
    assert [e["delta"] for e in of_type(events, "TOOL_CALL_ARGS")] == ['{"city": "Rome"}']
    assert [(e["toolCallId"], e["content"]) for e in of_type(events, "TOOL_CALL_RESULT")] == [
        (call["toolCallId"], "sunny in Rome")
    ]


async def test_an_agent_within_a_flow_is_a_step_within_its_method() -> None:
    model = says("Hello ", "there")

    class Asks(Flow[dict[str, Any]]):
        @start()
        async def look(self) -> str:
            return str((await writer(model).kickoff_async("Hi?")).raw)

    events = await collect(CrewAIProvider(Asks), request(user("hi")))

    assert [
        (event["type"], event["stepName"]) for event in of_type(events, "STEP_STARTED", "STEP_FINISHED")
    ] == [
        ("STEP_STARTED", "look"),
        ("STEP_STARTED", "Writer"),
        ("STEP_FINISHED", "Writer"),
        ("STEP_FINISHED", "look"),
    ]
    assert text_of(events) == "Hello there"


async def test_a_synchronous_method_streams_its_models_tokens() -> None:
    model = says("a", "b")

    class Sync(Flow[CopilotKitState]):
        @start()
        def answer(self) -> None:
            answer = model.call(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    events = await collect(CrewAIProvider(Sync), request(user("hi")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["a", "b"]
    assert of_type(events, "TEXT_MESSAGE_START")[0]["messageId"] == messages(events)[-1]["id"]


async def test_events_can_be_emitted_by_hand() -> None:
    class Progress(Flow[CopilotKitState]):
        @start()
        async def work(self) -> None:
            emit({"type": "STATE_SNAPSHOT", "snapshot": {"progress": 1}})
            emit({"type": "CUSTOM", "name": "Exit", "value": True})

    events = await collect(CrewAIProvider(Progress), request(user("hi")))

    assert snapshots(events) == [{"progress": 1}, {}, {}]
    assert of_type(events, "CUSTOM") == [{"type": "CUSTOM", "name": "Exit", "value": True}]


async def test_nothing_is_emitted_by_hand_outside_of_a_run() -> None:
    with pytest.raises(RuntimeError, match="no CopilotKit run"):
        emit({"type": "CUSTOM", "name": "Exit", "value": True})


async def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    await collect(CrewAIProvider(chat(says("Hello"))), request(user("hi")))
    await collect(CrewAIProvider(crew(writer(says("Hello")))), request(user("hi")))

    assert capfd.readouterr().out == ""
